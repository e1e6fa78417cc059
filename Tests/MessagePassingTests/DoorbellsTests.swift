import Glibc
import MessagePassing
import TestSupport
import Testing

@Suite("Bells between the ranks of a host")
struct DoorbellsTests {
  /// Bells of ranks 1 and 3 of four, as each of them sees them.
  private func pair() throws -> (Doorbells, Doorbells) {
    let file = Doorbells.createFile(bells: 2)
    defer { close(file) }
    // As another process would open it.
    let other = Doorbells.openFile(file, of: getpid())
    defer { close(other) }
    return (
      try #require(Doorbells(file: file, ranks: [1, 3], of: 4, own: 1)),
      try #require(Doorbells(file: other, ranks: [1, 3], of: 4, own: 3))
    )
  }

  private func seconds(_ work: () -> Void) -> Double {
    let start = ContinuousClock.now
    work()
    return (ContinuousClock.now - start) / .seconds(1)
  }

  @Test("Who was rung for before it sleeps does not sleep; else it sleeps as long as it may")
  func rung() throws {
    let (first, third) = try pair()
    #expect(!first.ringForAll)
    let rings = first.rings
    third.ring(for: 1)
    #expect(first.rings == rings &+ 1)
    #expect(seconds { first.wait(since: rings, microseconds: 20_000_000) } < 10)
    #expect(seconds { first.wait(since: first.rings, microseconds: 30_000) } >= 0.025)
    // Nobody's bell, and somebody else's.
    third.ring(for: 0)
    third.ring(for: 3)
    #expect(first.rings == rings &+ 1)
  }

  @Test("A ring wakes a sleeper")
  func woken() throws {
    let (first, third) = try pair()
    let rings = first.rings
    var thread = pthread_t()
    let ringer = Unmanaged.passRetained(third)
    pthread_create(
      &thread, nil,
      { argument in
        usleep(50_000)
        Unmanaged<Doorbells>.fromOpaque(argument!).takeRetainedValue().ring(for: 1)
        return nil
      }, ringer.toOpaque())
    let waited = seconds { while first.rings == rings { first.wait(since: rings, microseconds: 20_000_000) } }
    pthread_join(thread, nil)
    #expect(waited > 0.02 && waited < 10)
  }

  @Test("A file that is too short, or none, is refused")
  func refused() throws {
    let file = Doorbells.createFile(bells: 1)
    defer { close(file) }
    #expect(Doorbells(file: file, ranks: [0, 1], of: 2, own: 0) == nil)
    #expect(Doorbells(file: file, ranks: [0], of: 2, own: 1) == nil)
    #expect(Doorbells.openFile(1_000_000, of: getpid()) == -1)
  }
}
