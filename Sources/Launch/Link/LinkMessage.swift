import Foundation

/// How far a run is, for the launcher's status line.
public struct RunStatus: Codable, Sendable, Equatable {
  public enum Phase: String, Codable, Sendable {
    case prefill, decode
  }
  public var phase: Phase
  /// Tokens of this phase so far: read, or generated.
  public var tokens: Int
  /// Tokens of the prompts in all; of a decode nobody knows.
  public var total: Int?
  public var tokensPerSecond: Double
  /// The rank that most often answered last, and its host; nil where one rank does everything.
  public var slowest: Slowest?

  public struct Slowest: Codable, Sendable, Equatable {
    public var rank: Int
    public var host: String
    public init(rank: Int, host: String) {
      self.rank = rank
      self.host = host
    }
  }

  public init(phase: Phase, tokens: Int, total: Int? = nil, tokensPerSecond: Double, slowest: Slowest? = nil) {
    self.phase = phase
    self.tokens = tokens
    self.total = total
    self.tokensPerSecond = tokensPerSecond
    self.slowest = slowest
  }
}

/// From the coordinator to its launcher, a line of JSON each.
enum LauncherMessage: Codable, Equatable {
  case status(RunStatus)
  /// Edit a line behind this prompt, and send it.
  case ask(prompt: String)
}

/// From the launcher to the coordinator, a line of JSON each.
enum CoordinatorMessage: Codable, Equatable {
  /// The person pressed Ctrl-C, or wants the launcher to end.
  case interrupt
  case answer(LineAnswer)
}

/// What came of asking a person for a line.
public enum LineAnswer: Codable, Equatable, Sendable {
  case line(String)
  /// The person has nothing more to say.
  case end
}

/// Lines of JSON out of bytes as they come.
struct MessageReader<Message: Decodable> {
  private var pending: [UInt8] = []
  private static var mostBytes: Int { 4 << 20 }

  init() {}

  /// - Throws: ``LinkError`` for what is no such message.
  mutating func add(_ bytes: some Sequence<UInt8>) throws -> [Message] {
    pending += bytes
    guard pending.count <= Self.mostBytes else {
      throw LinkError("a message of the launcher's link: expected at most \(Self.mostBytes) bytes, found more")
    }
    var messages: [Message] = []
    while let end = pending.firstIndex(of: 10) {
      do {
        messages.append(try JSONDecoder().decode(Message.self, from: Data(pending[..<end])))
      } catch {
        let text = String(decoding: pending[..<end].prefix(80), as: UTF8.self)
        throw LinkError("a message of the launcher's link: expected \(Message.self), found \"\(text)\"")
      }
      pending.removeSubrange(...end)
    }
    return messages
  }
}

extension Encodable {
  /// As a line of JSON.
  var messageBytes: [UInt8] {
    // Numbers are finite and strings are strings: this cannot fail.
    Array((try? JSONEncoder().encode(self)) ?? Data()) + [10]
  }
}
