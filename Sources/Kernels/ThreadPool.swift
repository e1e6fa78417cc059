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
    let betweenTiles = betweenTiles
    withoutActuallyEscaping(body) { body in
      shared.open(tiles: tiles, body)
      shared.runTiles(worker: 0) { betweenTiles?() }
      shared.close { betweenTiles?() }
    }
  }
}

/// What the threads of a pool share: one job at a time.
///
/// ``phase`` is odd while a job is open. The caller closes it, then waits until nobody is inside; a worker enters first
/// and looks again afterwards whether a job is open. So one of the two sees the other. Each worker has a flag of its own
/// for that, on its own cache lines: many threads that write one number wait for each other.
private final class PoolState: @unchecked Sendable {
  /// Lives from ``open(tiles:_:)`` to ``close(whileWaiting:)``, so workers need not count references to it: all of them
  /// would at once.
  private final class Job {
    let body: (Int, Int) -> Void
    init(_ body: @escaping (Int, Int) -> Void) { self.body = body }
  }

  private var job: Unmanaged<Job>?
  private let shares: TileShares
  private let phase = Atomic<UInt64>(0)
  /// `[threads]`, a stride apart: whether a worker looks at the job.
  private let inside: UnsafeMutablePointer<Atomic<Bool>>
  private let threads: Int
  private let sleepers = Atomic<Int>(0)
  private let stopped = Atomic<Bool>(false)
  private let condition = NSCondition()

  private static let stride = 128

  /// How long a worker looks for the next job before it sleeps, in seconds: longer than from one job to the next in
  /// a layer, and short beside a time slice that another process may want. A processor's pause takes 10 to 140
  /// cycles, so rounds would say little.
  private static let patience = 100e-6

  init(threads: Int) {
    self.threads = threads
    shares = TileShares(workers: threads)
    inside = .allocate(capacity: threads * Self.stride)
    for index in 0..<threads * Self.stride { (inside + index).initialize(to: Atomic(false)) }
  }

  deinit { inside.deallocate() }

  func open(tiles: Int, _ body: @escaping (Int, Int) -> Void) {
    precondition(job == nil, "a tile of a job started another job on the same pool")
    job = .passRetained(Job(body))
    shares.fill(tiles: tiles)
    phase.add(1, ordering: .sequentiallyConsistent)
    if sleepers.load(ordering: .sequentiallyConsistent) > 0 { wakeAll() }
  }

  /// Takes tiles until none is left; `afterEach` is called behind each.
  func runTiles(worker: Int, afterEach: () -> Void) {
    job?._withUnsafeGuaranteedRef { job in
      while let tile = shares.take(worker: worker) {
        job.body(tile, worker)
        afterEach()
      }
    }
  }

  func close(whileWaiting: () -> Void) {
    phase.add(1, ordering: .sequentiallyConsistent)
    for worker in 1..<threads {
      while inside[worker * Self.stride].load(ordering: .sequentiallyConsistent) {
        whileWaiting()
        spinPause()
      }
    }
    job?.release()
    job = nil
  }

  func stop() {
    stopped.store(true, ordering: .sequentiallyConsistent)
    wakeAll()
  }

  func work(as worker: Int) {
    fk_set_float_environment()
    let isInside = inside + worker * Self.stride
    var seen: UInt64 = 0
    while let found = waitForJob(after: seen) {
      seen = found
      isInside.pointee.store(true, ordering: .sequentiallyConsistent)
      let now = phase.load(ordering: .sequentiallyConsistent)
      if Self.isOpen(now) {
        seen = now
        runTiles(worker: worker) {}
      }
      isInside.pointee.store(false, ordering: .sequentiallyConsistent)
    }
  }

  private static func isOpen(_ phase: UInt64) -> Bool { phase % 2 == 1 }

  /// The phase of an open job, later than one that was seen; nil when the pool has stopped.
  private func waitForJob(after seen: UInt64) -> UInt64? {
    let start = MonotonicClock.seconds()
    repeat {
      for _ in 0..<32 {
        let current = phase.load(ordering: .acquiring)
        if current != seen && Self.isOpen(current) { return current }
        spinPause()
      }
      if stopped.load(ordering: .relaxed) { return nil }
    } while MonotonicClock.seconds() - start < Self.patience
    condition.lock()
    defer { condition.unlock() }
    sleepers.add(1, ordering: .sequentiallyConsistent)
    defer { sleepers.subtract(1, ordering: .sequentiallyConsistent) }
    while !stopped.load(ordering: .sequentiallyConsistent) {
      let current = phase.load(ordering: .sequentiallyConsistent)
      if current != seen && Self.isOpen(current) { return current }
      condition.wait()
    }
    return nil
  }

  private func wakeAll() {
    condition.lock()
    condition.broadcast()
    condition.unlock()
  }
}

@inline(__always)
private func spinPause() { fk_pause() }
