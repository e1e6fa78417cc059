/// What happens while sequences are generated.
public enum GenerationEvent: Sendable, Equatable {
  /// A part of a prompt has been read: `tokens` of `total`.
  case prefill(sequence: Int, tokens: Int, total: Int)
  /// Sequences that an earlier run began have been read again: `tokens` of `total`, of all that are active.
  case replay(tokens: Int, total: Int)
  case token(GeneratedToken)
  case finished(sequence: Int, FinishReason, text: String)
}

public struct GeneratedToken: Sendable, Equatable {
  public let sequence: Int
  /// Position in the sequence, prompt included.
  public let position: Int
  public let id: Int
  /// Text that became certain with this token; may be empty while a character or stop string is incomplete.
  public let text: String
  public let part: TextPart
  /// ln of the token's probability under the model (temperature 1, no truncation).
  public let logProbability: Double
  /// The most probable tokens, best first, if asked for.
  public let alternatives: [Alternative]
  /// Chosen by the request or by the reasoning budget, not by the model.
  public let isForced: Bool

  public struct Alternative: Sendable, Codable, Equatable {
    public let id: Int
    public let logProbability: Double

    public init(id: Int, logProbability: Double) {
      self.id = id
      self.logProbability = logProbability
    }
  }

  public init(
    sequence: Int, position: Int, id: Int, text: String, part: TextPart, logProbability: Double,
    alternatives: [Alternative] = [], isForced: Bool = false
  ) {
    self.sequence = sequence
    self.position = position
    self.id = id
    self.text = text
    self.part = part
    self.logProbability = logProbability
    self.alternatives = alternatives
    self.isForced = isForced
  }
}

public enum FinishReason: String, Sendable, Codable, CaseIterable {
  /// The model ended the sequence.
  case endOfSequence = "end"
  case stopString = "stop"
  /// `maxTokens` were generated.
  case length
  /// The context is full.
  case context
  /// The user interrupted.
  case cancelled
}
