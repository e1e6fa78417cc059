import Foundation
import Kernels
import Synchronization
import Testing

@Suite("Shares of a job's tiles")
struct TileSharesTests {
  @Test("A worker's own tiles are neighbours, in order; then it takes the last ones of others")
  func order() {
    let shares = TileShares(workers: 3)
    shares.fill(tiles: 8)
    #expect((0..<3).map { _ in shares.take(worker: 1) } == [2, 3, 4])
    #expect((0..<3).map { _ in shares.take(worker: 1) } == [7, 6, 5], "of worker 2, from the end")
    #expect(shares.take(worker: 2) == 1)
    #expect(shares.take(worker: 0) == 0)
    #expect((0..<3).allSatisfy { shares.take(worker: $0) == nil })
  }

  @Test("Fewer tiles than workers, and none")
  func few() {
    let shares = TileShares(workers: 4)
    for tiles in [0, 1, 3] {
      shares.fill(tiles: tiles)
      #expect(Set((0..<tiles).compactMap { _ in shares.take(worker: 3) }) == Set(0..<tiles))
      #expect(shares.take(worker: 0) == nil)
    }
  }

  @Test("Each tile is handed out once, whoever takes at the same time", arguments: [2, 3, 8])
  func atTheSameTime(workers: Int) {
    let shares = TileShares(workers: workers)
    let tiles = 20_000
    shares.fill(tiles: tiles)
    nonisolated(unsafe) let taken = UnsafeMutablePointer<Atomic<Int>>.allocate(capacity: tiles)
    for tile in 0..<tiles { (taken + tile).initialize(to: Atomic(0)) }
    defer { taken.deallocate() }
    DispatchQueue.concurrentPerform(iterations: workers) { worker in
      while let tile = shares.take(worker: worker) { taken[tile].add(1, ordering: .relaxed) }
    }
    #expect((0..<tiles).allSatisfy { taken[$0].load(ordering: .relaxed) == 1 })
  }
}
