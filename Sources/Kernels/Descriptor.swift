import Foundation
import Glibc

/// Whole writes to file descriptors, and descriptors of things without a name.
public enum Descriptor {
  /// Writes all bytes; waits where a terminal or socket does not take them at once.
  ///
  /// - Returns: 0, or the system's error number.
  @discardableResult
  public static func write(_ bytes: [UInt8], to descriptor: Int32) -> Int32 {
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + done, bytes.count - done) }
      if count > 0 {
        done += count
      } else if count == 0 {
        return EIO
      } else if errno == EAGAIN {
        // A terminal that someone else made non-blocking.
        var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        _ = poll(&wait, 1, -1)
      } else if errno != EINTR {
        return errno
      }
    }
    return 0
  }

  /// A pipe, closed in programs started later.
  ///
  /// - Returns: nil where the system refuses; `errno` says why.
  public static func pipe() -> (read: Int32, write: Int32)? {
    var ends: [Int32] = [0, 0]
    guard Glibc.pipe(&ends) == 0 else { return nil }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return (ends[0], ends[1])
  }

  /// A file without a name, in the folder for temporary ones; closed in programs started later.
  ///
  /// - Returns: nil where the system refuses; `errno` says why.
  public static func temporaryFile() -> Int32? {
    var name = Array("\(NSTemporaryDirectory())/flotilla-XXXXXX".utf8CString)
    let descriptor = mkstemp(&name)
    guard descriptor >= 0 else { return nil }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    unlink(&name)
    return descriptor
  }
}
