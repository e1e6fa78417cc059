import Foundation
import Inference

extension RunRecord {
  /// How tokens were drawn, as it took effect: what the command leaves out comes from the checkpoint or is a default.
  public struct Sampling: Codable, Sendable, Equatable {
    /// This and the next four are nil where tokens were given.
    public var temperature: Double?
    public var topK: Int?
    public var topP: Double?
    public var minP: Double?
    public var repeatPenalty: Double?
    public var seed: UInt64
    /// Of a sequence; nil: up to the context size.
    public var maxTokens: Int?

    enum CodingKeys: String, CodingKey {
      case temperature, seed
      case topK = "top_k"
      case topP = "top_p"
      case minP = "min_p"
      case repeatPenalty = "repeat_penalty"
      case maxTokens = "max_tokens"
    }

    /// Of tokens that were given: random ones of a seed.
    public init(seed: UInt64, maxTokens: Int) { (self.seed, self.maxTokens) = (seed, maxTokens) }

    public init(_ request: GenerationRequest) {
      let options = request.sampling
      (temperature, topK, topP) = (options.temperature, options.topK, options.topP)
      (minP, repeatPenalty, seed) = (options.minP, options.repetitionPenalty, options.seed)
      maxTokens = request.maxTokens == .max ? nil : request.maxTokens
    }

    /// "temperature 0.6, top-p 0.95, seed 7; at most 100 tokens"; what changes nothing is left out.
    func text(contextSize: Int) -> String {
      func number(_ value: Double) -> String { String(format: "%g", value) }
      var parts = ["random tokens"]
      if let temperature {
        let isGreedy = temperature == 0
        parts = [isGreedy ? "greedy (temperature 0)" : "temperature \(number(temperature))"]
        if let topK, topK > 0, !isGreedy { parts.append("top-k \(topK)") }
        if let topP, topP < 1, !isGreedy { parts.append("top-p \(number(topP))") }
        if let minP, minP > 0, !isGreedy { parts.append("min-p \(number(minP))") }
      }
      if let repeatPenalty, repeatPenalty != 1 { parts.append("repeat penalty \(number(repeatPenalty))") }
      parts.append("seed \(seed)")
      let most =
        maxTokens.map { "at most \(Format.exact($0)) token\($0 == 1 ? "" : "s")" }
        ?? "tokens up to the context of \(Format.exact(contextSize))"
      return parts.joined(separator: ", ") + "; " + most
    }
  }
}
