import Synchronization

/// The tiles of a job, cut into a run of neighbours for each worker, so that each reads one stretch of the weights from
/// its first byte to its last. Whoever is done helps the others, from the ends of their runs.
///
/// ``fill(tiles:)`` while nobody takes; ``take(worker:)`` from any thread. Each tile is handed out once.
package final class TileShares: @unchecked Sendable {
  /// The first tile left in the low half, the end in the high one; each on cache lines of its own.
  private let shares: UnsafeMutablePointer<Atomic<UInt64>>
  private let workers: Int
  private static let stride = 16

  package init(workers: Int) {
    precondition(workers >= 1)
    self.workers = workers
    shares = .allocate(capacity: workers * Self.stride)
    for index in 0..<workers * Self.stride { (shares + index).initialize(to: Atomic(0)) }
  }

  deinit { shares.deallocate() }

  package func fill(tiles: Int) {
    precondition(tiles <= Int(UInt32.max))
    for worker in 0..<workers {
      let (first, end) = (worker * tiles / workers, (worker + 1) * tiles / workers)
      shares[worker * Self.stride].store(UInt64(first) | UInt64(end) << 32, ordering: .relaxed)
    }
  }

  /// The next tile for a worker: of its own run, or else the last one of another's; nil when none is left.
  package func take(worker: Int) -> Int? {
    if let tile = take(of: worker, fromEnd: false) { return tile }
    for distance in 1..<workers {
      let other = worker + distance
      if let tile = take(of: other < workers ? other : other - workers, fromEnd: true) { return tile }
    }
    return nil
  }

  private func take(of worker: Int, fromEnd: Bool) -> Int? {
    let share = worker * Self.stride
    var seen = shares[share].load(ordering: .relaxed)
    while true {
      let (first, end) = (seen & 0xffff_ffff, seen >> 32)
      guard first < end else { return nil }
      let (exchanged, original) = shares[share].weakCompareExchange(
        expected: seen, desired: fromEnd ? seen - 1 << 32 : seen + 1, ordering: .relaxed)
      if exchanged { return Int(fromEnd ? end - 1 : first) }
      seen = original
    }
  }
}
