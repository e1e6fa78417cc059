import Foundation

/// A file that a command writes whole, in place of what is there.
enum OutputFile {
  /// Before anything is computed: whether there is a folder for it.
  ///
  /// - Parameter option: that names it.
  static func checkFolder(of path: String, option: String) throws {
    let parent = NSString(string: path).deletingLastPathComponent
    let folder = parent.isEmpty ? "." : parent
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder)
    guard !exists || !isFolder.boolValue || !FileManager.default.isWritableFile(atPath: folder) else { return }
    throw UsageError(
      "\(option) \(path): expected a folder \(folder) to write to, found "
        + (!exists ? "nothing" : isFolder.boolValue ? "one that may not be written to" : "a file"),
      hint: hint)
  }

  /// - Throws: an error that ends the command with 1 where the disk is full, else with 2.
  static func write(_ bytes: Data, to path: String, option: String) throws {
    try checkFolder(of: path, option: option)
    do {
      try bytes.write(to: URL(filePath: path), options: .atomic)
    } catch {
      let code = posixCode(error)
      guard code == ENOSPC || code == EDQUOT else {
        let found = code.map { String(cString: strerror($0)) } ?? error.localizedDescription
        throw UsageError("\(option) \(path): expected to write it, found \(found)", hint: hint)
      }
      throw Failure(
        cause: UsageError(
          "\(option) \(path): expected to write \(bytes.count) bytes, found no room",
          hint: "The disk is full: free some of it"), status: .failure)
    }
  }

  private static let hint = "Name a file in a folder that exists and may be written to"

  private static func posixCode(_ error: any Error) -> Int32? {
    if let error = error as? POSIXError { return error.code.rawValue }
    guard let error = error as? CocoaError else { return nil }
    if error.code == .fileWriteOutOfSpace { return ENOSPC }
    return (error.underlying as? POSIXError)?.code.rawValue
  }
}
