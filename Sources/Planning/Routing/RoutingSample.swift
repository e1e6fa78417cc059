import Checkpoint
import DeepSeek
import Foundation

/// The experts that some tokens visit. Loads are counted over such a sample.
public struct RoutingSample: Sendable {
  public let tokens: Int
  /// Experts per token, k.
  public let expertsPerToken: Int
  /// `[tokens, k]`, ascending within a token.
  public let experts: [UInt16]

  /// How tokens choose, where no recorded routing says it.
  public enum Gates: String, Sendable, CaseIterable {
    /// Every set of groups, and within them every set of experts, is equally likely. Less even than ``independent``, as
    /// real gates are: a planner's choice.
    case uniform
    /// Every affinity is uniform and independent of all others, and the router's own rule chooses: the groups with the two
    /// best experts, so that each of them nearly always gives two. What random weights do.
    case independent
  }

  /// - Parameter experts: `[tokens, k]`, ascending within a token.
  public init(tokens: Int, expertsPerToken: Int, experts: [UInt16]) {
    precondition(experts.count == tokens * expertsPerToken)
    (self.tokens, self.expertsPerToken, self.experts) = (tokens, expertsPerToken, experts)
  }

  /// The same seed gives the same sample.
  public init(_ configuration: ModelConfiguration, tokens: Int, gates: Gates = .uniform, seed: UInt64 = 1) {
    var generator = SplitMix(state: seed)
    self.tokens = tokens
    expertsPerToken = configuration.expertsPerToken
    switch gates {
    case .uniform: experts = Self.chosenInGroups(configuration, tokens, &generator) { _ in nil }
    case .independent: experts = Self.chosenByRouter(configuration, tokens, &generator) { _ in nil }
    }
  }

  /// Experts are wanted as often as their weights say. With equal weights that is what gates do by themselves.
  ///
  /// - Parameter weights: of a token, by expert; above 0.
  init(_ configuration: ModelConfiguration, tokens: Int, gates: Gates, seed: UInt64, weights: (Int) -> [Double]) {
    var generator = SplitMix(state: seed)
    let experts =
      switch gates {
      case .uniform: Self.chosenInGroups(configuration, tokens, &generator, weights: weights)
      case .independent: Self.chosenByRouter(configuration, tokens, &generator, weights: weights)
      }
    self.init(tokens: tokens, expertsPerToken: configuration.expertsPerToken, experts: experts)
  }

  /// Groups first, by what their experts weigh together, then experts of these.
  ///
  /// - Parameter weights: of a token, by expert; nil: all equal.
  private static func chosenInGroups(
    _ configuration: ModelConfiguration, _ tokens: Int, _ generator: inout SplitMix, weights: (Int) -> [Double]?
  ) -> [UInt16] {
    let size = configuration.expertsPerGroup
    let limit = configuration.selection == .greedy ? configuration.groups : configuration.groupsPerToken
    var experts: [UInt16] = []
    experts.reserveCapacity(tokens * configuration.expertsPerToken)
    for token in 0..<tokens {
      let weights = weights(token)
      let ofGroups = weights.map { weights in
        (0..<configuration.groups).map { weights[$0 * size..<($0 + 1) * size].reduce(0, +) }
      }
      let groups = draw(limit, of: configuration.groups, ofGroups, &generator)
      func expert(_ place: Int) -> Int { groups[place / size] * size + place % size }
      let open = weights.map { weights in (0..<limit * size).map { weights[expert($0)] } }
      let chosen = draw(configuration.expertsPerToken, of: limit * size, open, &generator)
      experts += chosen.map { UInt16(expert($0)) }.sorted()
    }
    return experts
  }

  /// Different numbers below `total`: each set of them equally likely (Floyd's algorithm), or each number the likelier the
  /// more it weighs, the largest of u to the power of 1/w (Efraimidis and Spirakis).
  private static func draw(_ count: Int, of total: Int, _ weights: [Double]?, _ generator: inout SplitMix) -> [Int] {
    if let weights {
      let keys = weights.enumerated().map { (log(Double.random(in: 0x1p-53..<1, using: &generator)) / $1, $0) }
      return keys.sorted { $0 > $1 }.prefix(count).map { $0.1 }
    }
    var drawn: [Int] = []
    for last in total - count..<total {
      let number = Int.random(in: 0...last, using: &generator)
      drawn.append(drawn.contains(number) ? last : number)
    }
    return drawn
  }

  private static func chosenByRouter(
    _ configuration: ModelConfiguration, _ tokens: Int, _ generator: inout SplitMix, weights: (Int) -> [Double]?
  ) -> [UInt16] {
    let rule = SelectionRule(configuration)
    let (count, k) = (configuration.routedExperts, configuration.expertsPerToken)
    var experts = [UInt16](repeating: 0, count: tokens * k)
    var affinities = [Float](repeating: 0, count: count)
    var choice = affinities
    var gateWeights = [Float](repeating: 0, count: k)
    for token in 0..<tokens {
      for expert in 0..<count { affinities[expert] = Float(generator.next() >> 40) / 0x1p24 }
      if let weights = weights(token) {
        // The largest of u to the power of 1/w are drawn with the probabilities w (Efraimidis and Spirakis).
        for expert in 0..<count { affinities[expert] = Float(pow(Double(affinities[expert]), 1 / weights[expert])) }
      }
      affinities.withUnsafeMutableBufferPointer { affinities in
        choice.withUnsafeMutableBufferPointer { choice in
          gateWeights.withUnsafeMutableBufferPointer { weights in
            experts.withUnsafeMutableBufferPointer { experts in
              rule.choose(
                affinities: affinities, bias: nil, choice: choice,
                experts: UnsafeMutableBufferPointer(rebasing: experts[token * k..<(token + 1) * k]), weights: weights)
            }
          }
        }
      }
    }
    return experts
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
