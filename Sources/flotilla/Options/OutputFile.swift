import Checkpoint
import Foundation

/// A file that an option names and that a command writes.
struct OutputFile {
  /// As people write it.
  let option: String
  let path: String

  private static let place = "Name a file in a folder that exists and may be written to"

  /// Looks before the work whether there is a folder to write to.
  ///
  /// - Throws: ``UsageError`` where there is none.
  func checkFolder() throws {
    let parent = NSString(string: path).deletingLastPathComponent
    let folder = parent.isEmpty ? "." : parent
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
      throw UsageError("\(option) \(path): expected a file to write, found a folder", hint: Self.place)
    }
    let exists = FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder)
    guard !exists || !isFolder.boolValue || !FileManager.default.isWritableFile(atPath: folder) else { return }
    throw UsageError(
      "\(option) \(path): expected a folder \(folder) to write to, found "
        + (!exists ? "nothing" : isFolder.boolValue ? "one that may not be written to" : "a file"), hint: Self.place)
  }

  /// Writes the whole file in place of what is there.
  ///
  /// - Throws: an error that ends the command with 1 where the disk is full.
  func write(_ bytes: Data) throws {
    try checkFolder()
    do {
      try bytes.write(to: URL(filePath: path), options: .atomic)
    } catch let refused as CocoaError {
      throw error(refused)
    }
  }

  /// What to throw where the system refuses the file.
  func error(_ error: CocoaError) -> any Error {
    let refusal = WriteRefusal(error)
    let usage = UsageError(
      "\(option): expected to write \(path), found \(refusal.found)", hint: refusal.hint(else: Self.place))
    return refusal.isOfPath ? usage : Failure(cause: usage, status: .failure)
  }
}
