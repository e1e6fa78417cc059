import Foundation
import Glibc
import TestSupport
import Testing

/// What happens when a rank goes wrong: one clear error, soon, and nothing left behind.
@Suite(.serialized) struct FaultTests {
  private let host = ProcessInfo.processInfo.hostName
  private static let tcp = ["--mca", "btl", "tcp,self", "--mca", "pml", "ob1"]

  @Test(arguments: [[], tcp]) func aStoppedRankIsNamed(launcher: [String]) throws {
    let job = try selfTest("stopped", "--timeout-ms", "1500", "--victim", "2", ranks: 4, launcher: launcher)
    try expectLost(job, rank: 2, after: 1.5)
    expectEnded(job, status: 3, within: 6)
  }

  /// The hub itself: another rank notices, a little later, and again only one speaks.
  @Test func aStoppedHubIsNamed() throws {
    let job = try selfTest("stopped", "--timeout-ms", "1500", "--victim", "0", ranks: 4)
    try expectLost(job, rank: 0, after: 2.25)
    expectEnded(job, status: 3, within: 9)
  }

  @Test func theDefaultDeadlineEndsTheJobWithinTenSeconds() throws {
    let job = try selfTest("stopped", ranks: 3)
    #expect(job.complaints.count == 1)
    expectEnded(job, status: 3, within: 10)
  }

  /// mpirun notices before any deadline, and says so; the other ranks are silent.
  @Test(arguments: [[], tcp]) func aKilledRankEndsTheJob(launcher: [String]) throws {
    let job = try selfTest("killed", ranks: 4, launcher: launcher)
    #expect(job.complaints == [])
    #expect(job.errors.filter { $0.contains("rank 1") && $0.contains("signal 9") }.count == 1)
    expectEnded(job, status: 137, within: 8)
  }

  @Test func aRankThatGivesUpTellsTheOthers() throws {
    let job = try selfTest("left", ranks: 4)
    #expect(job.complaints == ["error: rank 1 has had enough"])
    expectEnded(job, status: 7, within: 8)
  }

  @Test func aRankThatVanishesEndsTheJob() throws {
    let job = try selfTest("vanished", ranks: 3)
    expectEnded(job, status: 9, within: 8)
  }

  @Test func aRankThatWasStoppedDoesNotBlameTheOthers() throws {
    // The hub stands still for longer than its own deadline and for less than that of the others.
    let job = try selfTest("paused", "--timeout-ms", "500", "--ms", "800", ranks: 3)
    #expect(job.errors == [])
    #expect(job.status == 0 && job.isClean)
  }

  @Test func aPeerBeyondTheLimitIsNamed() throws {
    let job = try selfTest("oversize", ranks: 3)
    #expect(job.complaints.count == 1)
    #expect(job.complaints.first?.hasPrefix("error: a message of 67108865 bytes from rank 0 (\(host))") == true)
    expectEnded(job, status: 4, within: 8)
  }

  @Test func aForeignMessageIsNamed() throws {
    let job = try selfTest("foreign", ranks: 2)
    #expect(job.complaints.count == 1)
    #expect(job.complaints.first?.hasPrefix("error: rank 0 (\(host)) sent 16 bytes with tag 2") == true)
    expectEnded(job, status: 4, within: 8)
  }

  /// Ctrl-C.
  @Test func aSignalToTheLauncherEndsTheJob() throws {
    let job = try selfTest(
      "wait", ranks: 3,
      meanwhile: { job in
        guard job.output.filter({ $0.hasPrefix("ready: ") }).count == 3 else { return false }
        kill(job.process, SIGINT)
        return true
      })
    #expect(job.complaints == [])
    expectEnded(job, status: nil, within: 8)
  }

  @Test func theFirstSignalIsAFlagAndTheSecondOneTheEnd() throws {
    let one = try selfTest("signal", ranks: 2)
    #expect(one.errors == [] && one.status == 0 && one.isClean)
    let two = try selfTest("two-signals", ranks: 2)
    expectEnded(two, status: 128 + SIGTERM, within: 8)
  }

  /// Even without a launcher to clean up, nothing stays.
  @Test func aKilledLauncherLeavesNothing() throws {
    let job = try selfTest(
      "wait", ranks: 3,
      meanwhile: { job in
        guard job.output.filter({ $0.hasPrefix("ready: ") }).count == 3 else { return false }
        kill(job.process, SIGKILL)
        return true
      })
    #expect(Set(job.output.filter { $0.hasPrefix("segment: ") }).count == 3)
    expectEnded(job, status: nil, within: 8)
  }

  /// One line, which names rank, host and silence. On a busy machine a deadline is noticed late, never early.
  private func expectLost(_ job: Job, rank: Int, after seconds: Double) throws {
    #expect(job.complaints.count == 1, "\(job.errors)")
    let line = try #require(job.complaints.first)
    let match = try #require(line.wholeMatch(of: /error: rank (\d+) on (\S+) silent for ([0-9.]+) s/))
    #expect(match.1 == "\(rank)" && match.2 == host, "\(line)")
    let silence = try #require(Double(match.3))
    // Heard and listened are told by two clocks, some milliseconds apart.
    #expect(silence > seconds - 0.1 && silence < seconds + 3, "\(line)")
  }

  private func expectEnded(_ job: Job, status: Int32?, within limit: Double) {
    if let status { #expect(job.status == status) } else { #expect(job.status != 0) }
    #expect(job.seconds < limit)
    #expect(job.survivors == [])
    #expect(job.segments == [])
  }
}
