import Checkpoint
import DeepSeek

/// The experts that some tokens visit. Loads are counted over such a sample.
public struct RoutingSample: Sendable {
  public let tokens: Int
  /// Experts per token, k.
  public let expertsPerToken: Int
  /// `[tokens, k]`, ascending within a token.
  public let experts: [UInt16]

  /// Tokens whose affinities are uniform and independent, chosen by the router's own rule: groups first, then experts.
  ///
  /// Real gates are less even. The same seed gives the same sample.
  public init(_ configuration: ModelConfiguration, tokens: Int, seed: UInt64 = 1) {
    let rule = SelectionRule(configuration)
    let (count, k) = (configuration.routedExperts, configuration.expertsPerToken)
    var generator = SplitMix(state: seed)
    var experts = [UInt16](repeating: 0, count: tokens * k)
    var affinities = [Float](repeating: 0, count: count)
    var choice = affinities
    var weights = [Float](repeating: 0, count: k)
    for token in 0..<tokens {
      for expert in 0..<count { affinities[expert] = Float(generator.next() >> 40) / 0x1p24 }
      affinities.withUnsafeMutableBufferPointer { affinities in
        choice.withUnsafeMutableBufferPointer { choice in
          weights.withUnsafeMutableBufferPointer { weights in
            experts.withUnsafeMutableBufferPointer { experts in
              rule.choose(
                affinities: affinities, bias: nil, choice: choice,
                experts: UnsafeMutableBufferPointer(rebasing: experts[token * k..<(token + 1) * k]), weights: weights)
            }
          }
        }
      }
    }
    self.tokens = tokens
    expertsPerToken = k
    self.experts = experts
  }
}

/// Steele, Lea and Flood's SplitMix64: a sample of a few thousand draws needs no more.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
    return value ^ value >> 31
  }
}
