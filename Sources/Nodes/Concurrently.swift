import Foundation
import Synchronization

/// Runs `body` for each number below `count` on threads of their own, since it blocks, and waits for all.
///
/// - Parameters:
///   - most: so many at a time.
///   - tick: called on this thread ten times a second.
package func concurrently(
  _ count: Int, most: Int, tick: () -> Void = {}, _ body: @escaping @Sendable (Int) -> Void
) {
  final class Numbers: Sendable {
    let next = Mutex(0)
    let ended = Mutex(0)
  }
  let numbers = Numbers()
  for _ in 0..<min(count, most) {
    Thread.detachNewThread {
      while true {
        let number = numbers.next.withLock { next in
          defer { next += 1 }
          return next
        }
        guard number < count else { return }
        body(number)
        numbers.ended.withLock { $0 += 1 }
      }
    }
  }
  while numbers.ended.withLock({ $0 }) < count {
    tick()
    usleep(100_000)
  }
  tick()
}
