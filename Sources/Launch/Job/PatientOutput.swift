import Foundation
import Glibc
import Kernels

/// Writes to a file, pipe or terminal that may take its time, without keeping its owner from other things: whoever reads
/// behind a pipe may stop for a while, as a pager does. A terminal is written to at once, since what is shown there has
/// an order with the status; who stops it with Ctrl-S starts it with Ctrl-C.
package final class PatientOutput: @unchecked Sendable {
  private let descriptor: Int32
  private let isDirect: Bool
  private let changed = NSCondition()
  /// Under the lock.
  private var pending: [UInt8] = []
  /// Bytes that are being written.
  private var inHand = 0
  private var error: Int32 = 0
  private var hasThread = false

  /// From here on no more should be added.
  private static let most = 256 << 10

  package init(_ descriptor: Int32) {
    self.descriptor = descriptor
    isDirect = isatty(descriptor) == 1
  }

  /// Whether the owner should wait before it adds more.
  package var isFull: Bool { changed.withLock { pending.count + inHand >= Self.most && error == 0 } }

  /// Takes bytes to write.
  ///
  /// - Returns: false where nobody reads any more.
  package func add(_ bytes: [UInt8]) -> Bool {
    if isDirect { return Descriptor.write(bytes, to: descriptor) == 0 }
    return changed.withLock {
      guard error == 0 else { return false }
      pending += bytes
      if !hasThread {
        hasThread = true
        Thread.detachNewThread { self.work() }
      }
      changed.broadcast()
      return true
    }
  }

  /// Waits until all is written, or nobody reads any more.
  ///
  /// - Parameter seconds: how long at most.
  /// - Returns: whether nothing is left to wait for.
  package func isIdle(within seconds: Double) -> Bool {
    let end = Date(timeIntervalSinceNow: seconds)
    return changed.withLock {
      while error == 0, inHand > 0 || !pending.isEmpty {
        if !changed.wait(until: end) { return false }
      }
      return true
    }
  }

  private func work() {
    while true {
      let bytes = changed.withLock {
        while pending.isEmpty { changed.wait() }
        inHand = pending.count
        defer { pending = [] }
        return pending
      }
      let code = Descriptor.write(bytes, to: descriptor)
      changed.withLock {
        inHand = 0
        if code != 0 { (error, pending) = (code, []) }
        changed.broadcast()
      }
    }
  }
}
