import ExpertParallel
import Testing

@Suite("How a rank waits")
struct PollPauseTests {
  /// Looks again and again from `from` to `to`, nanoseconds since the last message; `share` of a core is its own.
  private func steps(
    _ pause: inout PollPause, from: UInt64 = 0, to: UInt64, isMoving: Bool = false, lost: UInt64 = 500
  ) -> [PollPause.Step] {
    var found: [PollPause.Step] = []
    var now = from
    while now < to {
      let step = pause.step(arrivals: 0, isMoving: isMoving, now: now)
      found.append(step)
      switch step {
      case .look: now += 500
      case .yield:
        pause.yielded(from: now, to: now + lost)
        now += lost
      case .nap(let microseconds): now += UInt64(microseconds) * 1000
      }
    }
    return found
  }

  private func naps(_ steps: [PollPause.Step]) -> [UInt32] {
    steps.compactMap { if case .nap(let microseconds) = $0 { microseconds } else { nil } }
  }

  @Test("With a core of its own a rank looks all the time for a layer's length, then sleeps a small part of its wait")
  func own() {
    var pause = PollPause()
    #expect(naps(steps(&pause, to: 50_000_000)).isEmpty)
    let later = naps(steps(&pause, from: 50_000_000, to: 2_000_000_000))
    #expect(!later.isEmpty && later.allSatisfy { $0 <= 500 })
  }

  @Test("Where the core is somebody else's after every yield, it sleeps soon, but not while a message moves")
  func contested() {
    for (isMoving, limit) in [(false, 100_000 as UInt64), (true, 5_000_000)] {
      var pause = PollPause()
      let learned: UInt64 = 5_000 + 4 * 3_000_000
      _ = steps(&pause, to: learned, lost: 3_000_000)
      // The next wait: another message has come.
      _ = pause.step(arrivals: 1, isMoving: isMoving, now: learned)
      #expect(pause.step(arrivals: 1, isMoving: isMoving, now: learned + limit - 1) == .yield)
      #expect(
        pause.step(arrivals: 1, isMoving: isMoving, now: learned + limit) == .nap(UInt32(max(20, limit / 5000)))
          || isMoving)
      // After a second it tries again.
      _ = pause.step(arrivals: 2, isMoving: isMoving, now: learned + 1_100_000_000)
      #expect(pause.step(arrivals: 2, isMoving: isMoving, now: learned + 1_110_000_000) == .yield)
    }
  }

  @Test("With fewer cores than ranks it sleeps at once where messages wake it, but not while one moves")
  func rung() {
    for isRung in [true, false] {
      var pause = PollPause(isRung: isRung)
      pause.isOutnumbering = true
      #expect(pause.step(arrivals: 0, isMoving: false, now: 0) == .look)
      #expect(pause.step(arrivals: 0, isMoving: false, now: 4_999) == .look)
      #expect(pause.step(arrivals: 0, isMoving: false, now: 5_000) == (isRung ? .nap(1000) : .yield))
      #expect(pause.step(arrivals: 0, isMoving: true, now: 6_000) == .yield)
    }
  }

  @Test("A core lost now and then is no contest")
  func seldom() {
    var pause = PollPause()
    _ = pause.step(arrivals: 0, isMoving: false, now: 0)
    for turn in 1...40 as ClosedRange<UInt64> {
      pause.yielded(from: turn * 1_000_000, to: turn * 1_000_000 + (turn % 4 == 0 ? 500 : 900_000))
    }
    #expect(pause.step(arrivals: 0, isMoving: false, now: 41_000_000) == .yield)
  }

  @Test("A message ends the wait")
  func arrival() {
    var pause = PollPause()
    _ = steps(&pause, to: 60_000_000)
    #expect(pause.step(arrivals: 1, isMoving: false, now: 60_000_000) == .look)
  }
}
