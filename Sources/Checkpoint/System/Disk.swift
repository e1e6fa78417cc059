import Foundation

package enum Disk {
  /// Bytes that may still be written below `folder`, which need not be there yet; nil where the system does not tell.
  static func free(_ folder: URL) -> Int? {
    var status = statvfs()
    var place = folder.standardizedFileURL
    while statvfs(place.path(percentEncoded: false), &status) != 0 {
      guard errno == ENOENT, place.pathComponents.count > 1 else { return nil }
      place.deleteLastPathComponent()
    }
    let (bytes, overflow) = Int(status.f_bavail).multipliedReportingOverflow(by: Int(status.f_frsize))
    return overflow ? nil : bytes
  }

  /// - Parameter reserve: bytes that are to be left over.
  /// - Throws: ``CheckpointError`` with the needed and the free bytes.
  static func require(_ bytes: Int, reserve: Int = 0, in folder: URL) throws {
    guard let free = free(folder), free < bytes + reserve else { return }
    throw CheckpointError(
      file: folder.path(percentEncoded: false), subject: "disk",
      expected: "\(text(bytes)) of free space" + (reserve > 0 ? " and \(text(reserve)) in reserve" : ""),
      found: text(free), hint: "Free \(text(bytes + reserve - free)) or choose a folder on another disk.")
  }

  /// "1.5 KiB", "24.0 MiB", "1.20 GiB".
  static func text(_ bytes: Int) -> String {
    switch bytes {
    case ..<(1 << 20): String(format: "%.1f KiB", Double(bytes) / 0x1p10)
    case ..<(1 << 30): String(format: "%.1f MiB", Double(bytes) / 0x1p20)
    default: String(format: "%.2f GiB", Double(bytes) / 0x1p30)
    }
  }

  /// Puts a file with new contents in the place of `url` in one step, synced.
  static func replace(_ url: URL, with bytes: [UInt8]) throws {
    let path = url.path(percentEncoded: false)
    let temporary = url.deletingLastPathComponent().appending(path: ".\(url.lastPathComponent).part")
      .path(percentEncoded: false)
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw failure(url, "create it", errno) }
    var done = 0
    var code: Int32 = 0
    while done < bytes.count, code == 0 {
      let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress! + done, bytes.count - done) }
      if count > 0 { done += count } else if count == 0 || errno != EINTR { code = count == 0 ? EIO : errno }
    }
    if code == 0, fsync(descriptor) != 0 { code = errno }
    close(descriptor)
    if code == 0, rename(temporary, path) != 0 { code = errno }
    guard code == 0 else {
      unlink(temporary)
      throw failure(url, "write it", code)
    }
  }

  /// Gives up a lock and closes. Closing alone would not do: a lock stays as long as any copy of the descriptor, and a
  /// child that is being started holds one until its program begins.
  package static func closeLocked(_ descriptor: Int32) {
    _ = flock(descriptor, LOCK_UN)
    close(descriptor)
  }

  /// Brings the names in a folder to the disk.
  package static func sync(folder: URL) throws {
    let descriptor = open(folder.path(percentEncoded: false), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure(folder, "open it", errno) }
    defer { close(descriptor) }
    // Some network file systems cannot do it, and need not.
    guard fsync(descriptor) == 0 || errno == EINVAL || errno == ENOTSUP else {
      throw failure(folder, "bring it to the disk", errno)
    }
  }

  static func failure(_ url: URL, _ action: String, _ code: Int32) -> CheckpointError {
    let refusal = WriteRefusal(code)
    return CheckpointError(
      file: url.lastPathComponent, subject: refusal.isFull ? "disk" : "file", expected: "to \(action)",
      found: refusal.found, hint: refusal.hint(else: "Check the folder and its permissions") + ".")
  }
}
