/// Several virtual ranks in one thread. With a seed, messages are delayed and overtake each other (those of one
/// sender too), and the ranks take turns in random order: the same seed, the same run.
public final class InProcessNetwork {
  public let rankCount: Int
  fileprivate let hostName: String
  private let pool = MessagePool()
  private var random: SplitMix64?
  private var inboxes: [[Envelope]]
  private var traffic: [Traffic]
  private var steps: [(() throws -> Bool)?]
  private var isSilent: [Bool]
  private var now = 0
  private var isStepping = false
  private var quietTurns = 0
  /// The longest delay, in turns.
  private static let longestDelay = 12
  /// Turns without any message after which nobody waits any longer.
  private static let mostQuietTurns = 1000

  private struct Envelope {
    var message: Message
    var due: Int
  }

  /// - Parameters:
  ///   - seed: nil: first in, first out, no delays.
  ///   - hostName: of all ranks.
  public init(ranks: Int, seed: UInt64? = nil, hostName: String = "in-process") {
    rankCount = ranks
    self.hostName = hostName
    random = seed.map(SplitMix64.init)
    inboxes = Array(repeating: [], count: ranks)
    traffic = Array(repeating: Traffic(ranks: ranks), count: ranks)
    steps = Array(repeating: nil, count: ranks)
    isSilent = Array(repeating: false, count: ranks)
  }

  public func exchange(of rank: Int) -> InProcessExchange {
    precondition(rank >= 0 && rank < rankCount)
    return InProcessExchange(network: self, rank: rank)
  }

  /// Lets a rank work whenever another idles. `step` does a piece of work and returns whether there was one.
  public func attach(rank: Int, _ step: @escaping () throws -> Bool) { steps[rank] = step }

  /// From now on nothing is heard from a rank; the next one that idles finds it lost.
  public func silence(rank: Int) { isSilent[rank] = true }

  fileprivate func message(capacity: Int) -> Message { pool.message(capacity: capacity) }

  fileprivate func send(_ message: Message, from source: Int, to rank: Int) {
    precondition(rank >= 0 && rank < rankCount, "rank \(rank) of \(rankCount)")
    quietTurns = 0
    guard !isSilent[source] else { return message.recycle() }
    if source != rank {
      traffic[source].countSent(message.count, to: rank)
    }
    message.source = source
    let delay = random?.next(below: Self.longestDelay) ?? 0
    inboxes[rank].append(Envelope(message: message, due: now + delay))
  }

  fileprivate func receive(at rank: Int) -> Message? {
    now += 1
    guard let index = nextIndex(at: rank) else { return nil }
    quietTurns = 0
    let message = inboxes[rank].remove(at: index).message
    if message.source != rank {
      traffic[rank].messagesReceived += 1
      traffic[rank].bytesReceived += message.count
    }
    return message
  }

  private func nextIndex(at rank: Int) -> Int? {
    guard random != nil else { return inboxes[rank].isEmpty ? nil : 0 }
    let due = inboxes[rank].count { $0.due <= now }
    guard due > 0 else { return nil }
    var skipped = random!.next(below: due)
    return inboxes[rank].firstIndex { envelope in
      guard envelope.due <= now else { return false }
      skipped -= 1
      return skipped < 0
    }
  }

  /// Gives the other ranks a turn.
  fileprivate func idle(at rank: Int) throws {
    now += 1
    if let lost = isSilent.firstIndex(of: true), lost != rank {
      throw RankLost(rank: lost, host: hostName, silence: 10)
    }
    guard !isStepping else { return }
    isStepping = true
    defer { isStepping = false }
    var turns = steps.indices.filter { $0 != rank && steps[$0] != nil && !isSilent[$0] }
    if random != nil { turns.shuffle(using: &random!) }
    quietTurns += 1
    for turn in turns where try steps[turn]!() { quietTurns = 0 }
    guard quietTurns <= Self.mostQuietTurns else { throw NetworkStalled(rank: rank) }
  }

  fileprivate func rest(at rank: Int) throws {
    quietTurns = 0
    try idle(at: rank)
  }

  fileprivate func traffic(of rank: Int) -> Traffic { traffic[rank] }
}

/// One virtual rank's side of an ``InProcessNetwork``.
public final class InProcessExchange: Exchange {
  public let rank: Int
  private let network: InProcessNetwork

  fileprivate init(network: InProcessNetwork, rank: Int) {
    self.network = network
    self.rank = rank
  }

  /// A single rank without others: everything it sends, it sends to itself.
  public static func loopback(hostName: String = "in-process") -> InProcessExchange {
    InProcessNetwork(ranks: 1, hostName: hostName).exchange(of: 0)
  }

  public var rankCount: Int { network.rankCount }
  public var traffic: Traffic { network.traffic(of: rank) }
  public func message(capacity: Int) -> Message { network.message(capacity: capacity) }
  public func send(_ message: Message, to rank: Int) { network.send(message, from: self.rank, to: rank) }
  public func receive() -> Message? { network.receive(at: rank) }
  public func progress() {}
  public func idle() throws { try network.idle(at: rank) }
  public func rest() throws { try network.rest(at: rank) }
  public func hostName(of rank: Int) -> String { network.hostName }
}

/// A rank waits, nothing is under way, and no rank has anything to do: a message is missing.
public struct NetworkStalled: Error, Sendable, Equatable, CustomStringConvertible {
  public let rank: Int

  public init(rank: Int) { self.rank = rank }

  public var description: String { "rank \(rank) waits for a message that nobody sends" }
}

/// A small random generator with a seed.
///
/// Source: Steele, Lea, Flood: Fast splittable pseudorandom number generators (2014).
public struct SplitMix64: RandomNumberGenerator, Sendable {
  private var state: UInt64

  public init(_ seed: UInt64) { state = seed }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var bits = state
    bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
    bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
    return bits ^ (bits >> 31)
  }

  mutating func next(below bound: Int) -> Int { Int(next() % UInt64(bound)) }
}
