import Glibc
import Kernels

/// The writing end, for the handler: plain memory with a constant beginning, safe to read at any time.
nonisolated(unsafe) private var handlerEnd: Int32 = -1

/// Signals as bytes to read, so that one place waits for everything. One per process.
struct SignalPipe {
  let descriptor: Int32
  private let watched: [Int32]

  /// From here on these signals do nothing else.
  init(_ signals: [Int32]) throws(LaunchError) {
    let ends = try Descriptor.newPipe()
    descriptor = ends.read
    handlerEnd = ends.write
    watched = signals
    for end in [ends.read, ends.write] { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
    for number in signals {
      signal(number) { number in
        let before = errno
        var byte = UInt8(truncatingIfNeeded: number)
        _ = write(handlerEnd, &byte, 1)
        errno = before
      }
    }
  }

  /// The signals that have come.
  func take() -> [Int32] {
    var bytes = [UInt8](repeating: 0, count: 64)
    let count = read(descriptor, &bytes, bytes.count)
    return bytes.prefix(max(0, count)).map { Int32($0) }
  }

  /// Signals do again what they usually do.
  func close() {
    for number in watched { signal(number, SIG_DFL) }
    Glibc.close(descriptor)
    Glibc.close(handlerEnd)
    handlerEnd = -1
  }
}
