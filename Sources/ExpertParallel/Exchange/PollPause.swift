import Foundation

/// What a rank that waits does between two looks at its messages. A rank with a core of its own looks all the time, since
/// whatever it sleeps is added to a layer; where ranks outnumber cores none may starve another, so it soon sleeps: at once
/// where that is known beforehand and every message wakes it.
package struct PollPause {
  package enum Step: Equatable {
    /// Look again at once.
    case look
    /// Let others have the core first.
    case yield
    /// Sleep for so many microseconds.
    case nap(UInt32)
  }

  /// - Parameter isRung: whether a nap ends as soon as a message has been sent here.
  package init(isRung: Bool = false) { self.isRung = isRung }

  private let isRung: Bool
  /// Whether more ranks wait and compute than there are cores for them.
  package var isOutnumbering = false
  private var seen = -1
  private var since: UInt64 = 0
  private var contestedUntil: UInt64 = 0
  /// Yields in a row after which somebody else had the core.
  private var lost = 0

  /// - Parameters:
  ///   - arrivals: messages so far.
  ///   - isMoving: parts of a long message are under way, which move only while somebody looks.
  ///   - now: nanoseconds.
  package mutating func step(arrivals: Int, isMoving: Bool, now: UInt64) -> Step {
    if arrivals != seen { (seen, since) = (arrivals, now) }
    let quiet = now - since
    if quiet < 5_000 { return .look }
    let isContested = now < contestedUntil
    if isRung, isOutnumbering, !isMoving { return .nap(1000) }
    if quiet < (!isContested ? 50_000_000 : isMoving ? 5_000_000 : 100_000) { return .yield }
    // What is slept too long is small beside what was waited.
    let share: UInt64 = isContested ? 5 : 50
    return .nap(UInt32(min(max(quiet / share / 1000, 20), 500)))
  }

  /// Whether someone else had the core meanwhile. Where that happens every time, ranks, or ranks and other work, share it.
  package mutating func yielded(from start: UInt64, to end: UInt64) {
    lost = end - start > 20_000 ? lost + 1 : 0
    if lost == 4 { (lost, contestedUntil) = (0, end + 1_000_000_000) }
  }

  /// - Parameters:
  ///   - clock: nanoseconds of a steady clock.
  ///   - nap: sleeps for so many microseconds at most.
  package mutating func wait(arrivals: Int, isMoving: Bool, clock: () -> UInt64, nap: (UInt32) -> Void) {
    let now = clock()
    switch step(arrivals: arrivals, isMoving: isMoving, now: now) {
    case .look: break
    case .yield:
      sched_yield()
      yielded(from: now, to: clock())
    case .nap(let microseconds): nap(microseconds)
    }
  }
}
