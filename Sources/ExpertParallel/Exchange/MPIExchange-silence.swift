/// Who owes whom a sign of life, and who has been silent for too long.
///
/// A star: everyone sends heartbeats to the hub, which answers each; any message counts as one. The hub sends none by
/// itself: MPI stops in the call that sends to a rank which has just died, and the hub must be able to tell of it.
/// Silence counts only while this rank listened: if it was stopped itself, the others are not to blame. Plain arithmetic
/// on nanoseconds, so that it can be tested without waiting.
public struct SilenceWatch {
  /// Heartbeats to a hub that does not answer stop after this many: a stalled hub is not buried in them.
  public static let unansweredLimit = 2
  /// How much longer than the hub the others wait, in nanoseconds: an eighth of its deadline within these bounds.
  /// One of them tells of a fault, not all.
  public static let patience: ClosedRange<UInt64> = 750_000_000...2_000_000_000

  /// Nanoseconds of silence after which a rank is lost.
  public let limit: UInt64
  /// Nanoseconds more, for as long as the ranks open files and load and may not answer.
  public var grace: UInt64 = 0
  /// Set once the launcher has told this rank to end. Then one missed heartbeat is a loss: most likely the launcher
  /// ends the job since it knows of one, and soon kills this rank too.
  public var isHurried = false
  /// Nanoseconds between heartbeats.
  public let period: UInt64
  /// The ranks that this one watches.
  public let watched: [Int]
  /// Whether this rank is the hub.
  private let answers: Bool

  /// A poll after a longer pause than this counts as this much listening.
  private let longestStep: UInt64
  private var listening: UInt64 = 0
  private var lastPoll: UInt64
  private var nextBeat: UInt64
  private var signs: [Sign]

  private struct Sign {
    /// In time of listening.
    var heard: UInt64 = 0
    /// On the clock.
    var time: UInt64
    var unanswered = 0
  }

  /// - Parameters:
  ///   - timeout: nanoseconds, for the hub; the others wait longer.
  ///   - now: nanoseconds of any steady clock, here and everywhere below.
  public init(rank: Int, rankCount: Int, hub: Int, timeout: UInt64, now: UInt64) {
    let others = (0..<rankCount).filter { $0 != rank }
    watched = rank == hub ? others : [hub]
    answers = rank == hub
    // When the hub itself is lost, the others notice one after the other, and the first one tells the rest.
    let order = UInt64(rank < hub ? rank : max(rank - 1, 0))
    let patience = min(max(timeout / 8, Self.patience.lowerBound), Self.patience.upperBound)
    let extra = rank == hub ? 0 : patience + min(order * 100_000_000, Self.patience.upperBound)
    limit = timeout.saturatingSum(extra)
    period = max(min(1_000_000_000, timeout / 4), 1)
    longestStep = max(min(250_000_000, timeout / 8), 1)
    lastPoll = now
    nextBeat = now
    signs = Array(repeating: Sign(time: now), count: rankCount)
  }

  /// Every poll calls this, after it has taken what has arrived.
  public mutating func listened(at now: UInt64) {
    guard now > lastPoll else { return }
    listening += min(now - lastPoll, longestStep)
    lastPoll = now
  }

  public mutating func heard(from rank: Int, at now: UInt64) {
    signs[rank].heard = listening
    signs[rank].time = now
    signs[rank].unanswered = 0
  }

  /// The rank to send a heartbeat to now, once per period; counts it.
  public mutating func beatIsDue(at now: UInt64) -> Int? {
    guard !answers, now >= nextBeat, let hub = watched.first else { return nil }
    nextBeat = now + period
    guard signs[hub].unanswered < Self.unansweredLimit else { return nil }
    signs[hub].unanswered += 1
    return hub
  }

  /// The rank that has been silent for longest, if that is too long, and its silence in nanoseconds.
  public func lost(at now: UInt64) -> (rank: Int, silence: UInt64)? {
    guard let rank = watched.min(by: { signs[$0].heard < signs[$1].heard }) else { return nil }
    let sign = signs[rank]
    let allowed = isHurried ? min(limit, period + period / 2) : limit
    guard listening - sign.heard > allowed.saturatingSum(grace) else { return nil }
    return (rank, now > sign.time ? now - sign.time : 0)
  }
}

extension UInt64 {
  fileprivate func saturatingSum(_ other: UInt64) -> UInt64 {
    let (sum, overflows) = addingReportingOverflow(other)
    return overflows ? .max : sum
  }
}
