import Foundation

enum Disk {
  /// Bytes that may still be written below `folder`; nil where the system does not tell.
  static func free(_ folder: URL) -> Int? {
    var status = statvfs()
    guard statvfs(folder.path(percentEncoded: false), &status) == 0 else { return nil }
    let (bytes, overflow) = Int(status.f_bavail).multipliedReportingOverflow(by: Int(status.f_frsize))
    return overflow ? nil : bytes
  }

  /// - Throws: ``CheckpointError`` with the needed and the free bytes.
  static func require(_ bytes: Int, in folder: URL) throws {
    guard let free = free(folder), free < bytes else { return }
    func gib(_ bytes: Int) -> String { String(format: "%.2f GiB", Double(bytes) / 0x1p30) }
    throw CheckpointError(
      file: folder.path(percentEncoded: false), subject: "disk", expected: "\(gib(bytes)) of free space",
      found: gib(free), hint: "Free \(gib(bytes - free)) or choose a folder on another disk.")
  }

  static func failure(_ url: URL, _ action: String, _ code: Int32) -> CheckpointError {
    CheckpointError(
      file: url.lastPathComponent, subject: "file", expected: "to \(action)", found: String(cString: strerror(code)),
      hint: code == ENOSPC ? "The disk is full." : "Check the folder and its permissions.")
  }
}
