import ExpertParallel
import Foundation
import Reporting

/// The file of `--write-placement`.
enum PlacementOutput {
  /// What is there may have been edited. Devices and pipes are written to.
  static func checkIsNew(_ path: String) throws {
    var status = stat()
    guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return }
    throw UsageError(
      "--write-placement: expected a new file, found \(path) there already",
      hint: "Name another, or remove it first if it is not needed")
  }

  static func write(_ placement: Placement, to path: String) throws {
    do {
      // In place: what replaces the file would replace a device or a link too.
      try Data(placement.json.utf8).write(to: URL(filePath: path))
      StandardError.write("Wrote \(printable(path)).\n")
    } catch let error as CocoaError {
      var status = stat()
      // Of a plain file it is known that it was not there before.
      if lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG { unlink(path) }
      throw OutputFile(option: "--write-placement", path: path).error(error)
    }
  }
}
