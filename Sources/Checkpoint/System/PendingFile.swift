import Foundation
import Synchronization

/// A file of known size under way: it lies beside its place under a temporary name, gets its own name only when it
/// is finished, and goes where it is abandoned. Parts may be written from any thread.
package final class PendingFile: Sendable {
  private let url: URL
  private let temporary: URL
  private let descriptor: Mutex<Int32>

  /// Checks the disk's free space and reserves the size.
  ///
  /// - Throws: ``CheckpointError``.
  package init(_ url: URL, bytes: Int) throws {
    self.url = url
    temporary = url.deletingLastPathComponent().appending(
      path: ".\(url.lastPathComponent).\(ProcessInfo.processInfo.processIdentifier).part")
    try PendingFile.refuseDevice(url)
    try Disk.require(bytes, in: url.deletingLastPathComponent())
    let opened = open(
      temporary.path(percentEncoded: false), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard opened >= 0 else { throw Disk.failure(url, "create it", errno) }
    descriptor = Mutex(opened)
    guard ftruncate(opened, off_t(bytes)) == 0 else { throw Disk.failure(url, "reserve its size", errno) }
  }

  /// ``finish()`` renames onto `url`: of a device such as /dev/null, nothing would be left.
  private static func refuseDevice(_ url: URL) throws {
    var status = stat()
    guard stat(url.path(percentEncoded: false), &status) == 0, status.st_mode & S_IFMT != S_IFREG else { return }
    throw CheckpointError(
      file: url.lastPathComponent, subject: "file", expected: "a plain file, or none yet",
      found: "a folder or a device", hint: "Give the name of a file to write.")
  }

  deinit {
    let opened = descriptor.withLock { $0 }
    guard opened >= 0 else { return }
    close(opened)
    unlink(temporary.path(percentEncoded: false))
  }

  package func write(_ bytes: UnsafeRawBufferPointer, at position: Int) throws(CheckpointError) {
    let opened = descriptor.withLock { $0 }
    precondition(opened >= 0, "the file is finished")
    var done = 0
    while done < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
      let count = pwrite(opened, rest.baseAddress, rest.count, off_t(position + done))
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw Disk.failure(url, "write it", count < 0 ? errno : EIO) }
      done += count
    }
  }

  /// Gives the file its name.
  package func finish() throws(CheckpointError) {
    let opened = descriptor.withLock { descriptor in
      defer { descriptor = -1 }
      return descriptor
    }
    let closed = close(opened)
    let path = temporary.path(percentEncoded: false)
    guard closed == 0, rename(path, url.path(percentEncoded: false)) == 0 else {
      let code = errno
      unlink(path)
      throw Disk.failure(url, "finish it", code)
    }
  }
}
