import Checkpoint

/// How the next token is drawn. Applied in this order, as transformers does: repetition penalty, temperature,
/// top-k, top-p, min-p.
public struct SamplingOptions: Sendable, Equatable {
  /// 0: greedy, the most probable token.
  public var temperature: Double
  /// Keep the k most probable; 0: all.
  public var topK: Int
  /// Keep the most probable whose probabilities sum to at least this; 1: all.
  public var topP: Double
  /// Keep those at least this fraction as probable as the best; 0: all.
  public var minP: Double
  /// Divides positive and multiplies negative logits of tokens that occurred; 1: off.
  public var repetitionPenalty: Double
  public var seed: UInt64

  public init(
    temperature: Double = 0, topK: Int = 0, topP: Double = 1, minP: Double = 0, repetitionPenalty: Double = 1,
    seed: UInt64 = 0
  ) {
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
    self.minP = minP
    self.repetitionPenalty = repetitionPenalty
    self.seed = seed
  }

  public static let greedy = SamplingOptions()

  /// - Throws: ``RequestError`` naming the option.
  public func verify() throws {
    func require(_ holds: Bool, _ option: String, _ expected: String, _ found: Any) throws {
      if !holds { throw RequestError("\(option): expected \(expected), found \(found)") }
    }
    try require(temperature >= 0 && temperature.isFinite, "temperature", "0 or more", temperature)
    try require(topK >= 0, "top-k", "0 or more", topK)
    try require(topP > 0 && topP <= 1, "top-p", "above 0, at most 1", topP)
    try require(minP >= 0 && minP <= 1, "min-p", "0 to 1", minP)
    try require(
      (1e-3...1e3).contains(repetitionPenalty), "repetition penalty", "0.001 to 1000", repetitionPenalty)
  }
}

/// A request that cannot be served as it is, in words for the person who made it.
public struct RequestError: Error, CustomStringConvertible, Equatable {
  public let description: String
  public init(_ description: String) { self.description = description }
}
