import Glibc
import Kernels

extension Descriptor {
  /// Closed in programs started later.
  static func newPipe() throws(LaunchError) -> (read: Int32, write: Int32) {
    guard let ends = pipe() else {
      throw LaunchError("a pipe: expected to make one, found: \(String(cString: strerror(errno)))")
    }
    return ends
  }

  /// What is there, at most 64 KiB; blocks while nothing is.
  ///
  /// - Returns: nothing at the end.
  static func read(_ descriptor: Int32) -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count >= 0 { return Array(buffer[..<count]) }
      if errno != EINTR { return [] }
    }
  }
}
