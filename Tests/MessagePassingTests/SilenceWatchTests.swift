import ExpertParallel
import Testing

/// The arithmetic of heartbeats, without waiting. Times in nanoseconds.
struct SilenceWatchTests {
  private let second: UInt64 = 1_000_000_000

  /// A watch that polls every `step` until `end`, with `heard` ranks giving signs all the time.
  private func listen(
    _ watch: inout SilenceWatch, from begin: UInt64, to end: UInt64, step: UInt64 = 1_000_000, hearing: [Int]
  ) -> (rank: Int, silence: UInt64)? {
    var now = begin
    while now < end {
      now += step
      for rank in hearing { watch.heard(from: rank, at: now) }
      watch.listened(at: now)
      if let lost = watch.lost(at: now) { return lost }
    }
    return nil
  }

  @Test func theHubWatchesAllAndTheOthersTheHub() {
    let hub = SilenceWatch(rank: 2, rankCount: 4, hub: 2, timeout: second, now: 0)
    let other = SilenceWatch(rank: 0, rankCount: 4, hub: 2, timeout: second, now: 0)
    #expect(hub.watched == [0, 1, 3])
    #expect(other.watched == [2])
    #expect(SilenceWatch(rank: 0, rankCount: 1, hub: 0, timeout: second, now: 0).watched == [])
  }

  @Test func silenceBeyondTheLimitIsLossAndNamesTheRank() throws {
    var watch = SilenceWatch(rank: 0, rankCount: 3, hub: 0, timeout: 10 * second, now: 0)
    #expect(listen(&watch, from: 0, to: 10 * second, hearing: [1]) == nil)
    let lost = try #require(listen(&watch, from: 10 * second, to: 11 * second, hearing: [1]))
    #expect(lost.rank == 2)
    #expect(lost.silence > 10 * second && lost.silence < 10 * second + 10_000_000)
  }

  @Test func theHubIsFirstAndTheOthersFollowOneByOne() {
    let limits = [3, 0, 1, 2].map {
      SilenceWatch(rank: $0, rankCount: 4, hub: 3, timeout: 10 * second, now: 0).limit
    }
    #expect(limits[0] == 10 * second)
    #expect(limits[1] == 10 * second + 10 * second / 8)
    #expect(limits == limits.sorted() && Set(limits).count == 4)
    // However many ranks: the last one is little more than two seconds behind the hub.
    let last = SilenceWatch(rank: 9999, rankCount: 10_000, hub: 0, timeout: 10 * second, now: 0)
    #expect(last.limit == 12 * second + 10 * second / 8)
    #expect(SilenceWatch(rank: 1, rankCount: 2, hub: 0, timeout: 60 * second, now: 0).limit == 62 * second)
    #expect(SilenceWatch(rank: 1, rankCount: 2, hub: 0, timeout: 4 * second, now: 0).limit == 4_750_000_000)
  }

  @Test func timeInWhichOneDidNotListenDoesNotCount() {
    var watch = SilenceWatch(rank: 0, rankCount: 2, hub: 0, timeout: 10 * second, now: 0)
    #expect(listen(&watch, from: 0, to: 5 * second, hearing: []) == nil)
    // Stopped for an hour, then 4 s more of listening: 9 s in all.
    #expect(listen(&watch, from: 3605 * second, to: 3609 * second, hearing: []) == nil)
    #expect(listen(&watch, from: 3609 * second, to: 3611 * second, hearing: [])?.rank == 1)
  }

  @Test func aRankThatPollsRarelyStillNoticesInTheEnd() {
    var watch = SilenceWatch(rank: 0, rankCount: 2, hub: 0, timeout: 10 * second, now: 0)
    #expect(listen(&watch, from: 0, to: 100 * second, step: second, hearing: [])?.rank == 1)
  }

  @Test func graceIsAddedAndAnEndingLauncherShortensTheDeadline() throws {
    var patient = SilenceWatch(rank: 0, rankCount: 2, hub: 0, timeout: 4 * second, now: 0)
    patient.grace = 6 * second
    #expect(listen(&patient, from: 0, to: 10 * second, hearing: []) == nil)
    patient.grace = 0
    #expect(listen(&patient, from: 10 * second, to: 10 * second + 1_000_000, hearing: [])?.rank == 1)

    var hurried = SilenceWatch(rank: 0, rankCount: 2, hub: 0, timeout: 4 * second, now: 0)
    hurried.isHurried = true
    // Whoever sends its heartbeats is not lost, however slow its work.
    #expect(listen(&hurried, from: 0, to: 3 * second, hearing: [1]) == nil)
    #expect(listen(&hurried, from: 3 * second, to: 4_490_000_000, hearing: []) == nil)
    #expect(listen(&hurried, from: 4_490_000_000, to: 4_510_000_000, hearing: [])?.rank == 1)
  }

  @Test func heartbeatsToAStalledHubDoNotPileUp() {
    func sent(answers: Bool, rank: Int) -> [Int] {
      var watch = SilenceWatch(rank: rank, rankCount: 3, hub: 2, timeout: 100 * second, now: 0)
      return stride(from: 0, to: 20 * second, by: 100_000_000).compactMap { now in
        if answers { watch.heard(from: 2, at: now) }
        return watch.beatIsDue(at: now)
      }
    }
    #expect(sent(answers: true, rank: 1) == Array(repeating: 2, count: 20))
    #expect(sent(answers: false, rank: 1) == Array(repeating: 2, count: SilenceWatch.unansweredLimit))
    // The hub answers only.
    #expect(sent(answers: true, rank: 2) == [])
  }

  @Test(arguments: [0, 1, UInt64.max]) func extremeDeadlinesDoNotTrap(timeout: UInt64) {
    var watch = SilenceWatch(rank: 1, rankCount: 3, hub: 0, timeout: timeout, now: 5)
    watch.listened(at: 3)
    watch.heard(from: 0, at: .max)
    watch.listened(at: .max)
    #expect(watch.lost(at: 7) == nil)
  }
}
