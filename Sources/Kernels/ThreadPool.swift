import CKernels
import Foundation
import Synchronization

/// The compute threads of a rank. The caller is worker 0; the others wait between jobs.
///
/// A job is a number of tiles; each worker has a run of them, and whoever is done with its own helps the others. Tiles
/// never share an output, so who computes what changes no bit. A worker that wakes too late for a job simply misses it.
public final class ThreadPool: @unchecked Sendable {
  /// Threads, the caller included.
  public let threads: Int
  /// Called on the caller's thread between its tiles and while it waits for the others.
  public var betweenTiles: (() -> Void)?

  private let shared: PoolState

  public init(threads: Int) {
    precondition(threads >= 1)
    self.threads = threads
    shared = PoolState(threads: threads)
    fk_set_float_environment()
    for worker in 1..<max(threads, 1) {
      let state = shared
      let thread = Thread { state.work(as: worker) }
      thread.qualityOfService = .userInitiated
      thread.start()
    }
  }

  deinit { shared.stop() }

  /// Runs `body` for every tile in `0..<tiles`, each once, and returns when all are done.
  public func run(tiles: Int, _ body: (Int) -> Void) { run(tiles: tiles) { tile, _ in body(tile) } }

  /// The same; `body` is also told which worker it runs on, `0..<threads`, to find scratch memory of its own.
  public func run(tiles: Int, _ body: (_ tile: Int, _ worker: Int) -> Void) {
    if threads == 1 || tiles <= 1 {
      for tile in 0..<tiles {
        body(tile, 0)
        betweenTiles?()
      }
      return
    }
    withoutActuallyEscaping(body) { body in
      shared.open(tiles: tiles, body)
      while shared.runTile(worker: 0) { betweenTiles?() }
      shared.close { betweenTiles?() }
    }
  }
}

/// What the threads of a pool share: one job at a time.
///
/// `inside` counts the workers that look at the job. The caller closes the job, then waits until nobody is
/// inside; a worker enters first and looks afterwards whether the job is open. So one of the two sees the other.
private final class PoolState: @unchecked Sendable {
  private var body: ((Int, Int) -> Void)?
  private let shares: TileShares
  private let generation = Atomic<UInt64>(0)
  private let isOpen = Atomic<Bool>(false)
  private let inside = Atomic<Int>(0)
  private let sleepers = Atomic<Int>(0)
  private let stopped = Atomic<Bool>(false)
  private let condition = NSCondition()

  /// How long a worker looks for the next job before it sleeps, in seconds: longer than from one job to the next in
  /// a layer, and short beside a time slice that another process may want. A processor's pause takes 10 to 140
  /// cycles, so rounds would say little.
  private static let patience = 100e-6

  init(threads: Int) { shares = TileShares(workers: threads) }

  func open(tiles: Int, _ body: @escaping (Int, Int) -> Void) {
    precondition(self.body == nil, "a tile of a job started another job on the same pool")
    self.body = body
    shares.fill(tiles: tiles)
    isOpen.store(true, ordering: .sequentiallyConsistent)
    generation.add(1, ordering: .sequentiallyConsistent)
    if sleepers.load(ordering: .sequentiallyConsistent) > 0 { wakeAll() }
  }

  /// Takes the next tile; false when none is left.
  func runTile(worker: Int) -> Bool {
    guard let body, let tile = shares.take(worker: worker) else { return false }
    body(tile, worker)
    return true
  }

  func close(whileWaiting: () -> Void) {
    isOpen.store(false, ordering: .sequentiallyConsistent)
    while inside.load(ordering: .sequentiallyConsistent) > 0 {
      whileWaiting()
      spinPause()
    }
    body = nil
  }

  func stop() {
    stopped.store(true, ordering: .sequentiallyConsistent)
    generation.add(1, ordering: .sequentiallyConsistent)
    wakeAll()
  }

  func work(as worker: Int) {
    fk_set_float_environment()
    var seen: UInt64 = 0
    while true {
      seen = waitForJob(after: seen)
      if stopped.load(ordering: .relaxed) { return }
      inside.add(1, ordering: .sequentiallyConsistent)
      if isOpen.load(ordering: .sequentiallyConsistent) {
        while runTile(worker: worker) {}
      }
      inside.subtract(1, ordering: .sequentiallyConsistent)
    }
  }

  private func waitForJob(after seen: UInt64) -> UInt64 {
    let start = MonotonicClock.seconds()
    repeat {
      for _ in 0..<32 {
        let current = generation.load(ordering: .acquiring)
        if current != seen { return current }
        spinPause()
      }
    } while MonotonicClock.seconds() - start < Self.patience
    condition.lock()
    defer { condition.unlock() }
    sleepers.add(1, ordering: .sequentiallyConsistent)
    defer { sleepers.subtract(1, ordering: .sequentiallyConsistent) }
    while true {
      let current = generation.load(ordering: .sequentiallyConsistent)
      if current != seen { return current }
      condition.wait()
    }
  }

  private func wakeAll() {
    condition.lock()
    condition.broadcast()
    condition.unlock()
  }
}

@inline(__always)
private func spinPause() { fk_pause() }
