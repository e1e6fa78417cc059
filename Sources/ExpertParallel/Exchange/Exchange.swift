/// Messages between ranks. The seam for tests: router, hosts and fabric know nothing below it.
///
/// Implementations: `MPIExchange` (between processes), `InProcessExchange` (virtual ranks of one process,
/// seeded delays and reorderings). All calls come from one thread.
public protocol Exchange: AnyObject {
  var rank: Int { get }
  var rankCount: Int { get }

  /// An empty message with room for `capacity` bytes, 64-byte aligned, from a pool.
  func message(capacity: Int) -> Message

  /// Gives a message away. Never blocks; its memory returns to the pool when it has left.
  /// A message to oneself takes the short way and arrives like any other.
  func send(_ message: Message, to rank: Int) throws

  /// The next message that has arrived, or nil. Never blocks. Messages of one sender may overtake each other.
  func receive() throws -> Message?

  /// Moves what is under way and keeps heartbeats going without delivering anything.
  /// Called between tiles of long computations. Cheap enough for every 100 microseconds.
  /// What goes wrong meanwhile is thrown by the next `receive` or `idle`.
  func progress()

  /// Waits a little for something to happen: yields first, sleeps when idle for longer.
  func idle() throws

  /// Like `idle`, where no message is awaited: however long it lasts, none is missing.
  func rest() throws

  /// The host name of a rank, for messages to people.
  func hostName(of rank: Int) -> String

  /// What has crossed so far, without heartbeats.
  var traffic: Traffic { get }
}

extension Exchange {
  public func rest() throws { try idle() }
}

/// Bytes and messages of one rank, to and from other ranks. Messages to oneself are not counted.
public struct Traffic: Sendable, Codable, Equatable {
  public var bytesSent = 0
  public var bytesReceived = 0
  public var messagesSent = 0
  public var messagesReceived = 0
  /// The same of what was sent, by the rank that it went to; empty where nobody counts so.
  public var bytesSentTo: [Int] = []
  public var messagesSentTo: [Int] = []

  public init() {}

  /// - Parameter ranks: of the job.
  public init(ranks: Int) {
    bytesSentTo = Array(repeating: 0, count: ranks)
    messagesSentTo = bytesSentTo
  }

  mutating func countSent(_ bytes: Int, to rank: Int) {
    bytesSent += bytes
    messagesSent += 1
    bytesSentTo[rank] += bytes
    messagesSentTo[rank] += 1
  }
}

/// A rank from which nothing has been heard for too long, or that has gone.
public struct RankLost: Error, Sendable, Equatable {
  public let rank: Int
  public let host: String
  /// Seconds without a sign of life.
  public let silence: Double
  /// Whether the launcher had told this rank to end.
  public let isEnding: Bool

  public init(rank: Int, host: String, silence: Double, isEnding: Bool = false) {
    self.rank = rank
    self.host = host
    self.silence = silence
    self.isEnding = isEnding
  }
}
