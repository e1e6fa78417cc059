import Foundation

/// A model with a true shape and no weights of its own: for runs of models that no machine here could hold.
///
/// Gates are real ones, different in every layer. All other matrices are normal numbers that many of them share, so
/// messages, routing and arithmetic are real and the words mean nothing.
public struct PhantomModel: Sendable, Equatable {
  public let name: String
  /// Without blocks of FP8 and without multi-token prediction, which nothing would run.
  public let configuration: ModelConfiguration
  public let seed: UInt64
  /// How uneven the use of experts is: the exponent of a Zipf law over each layer's experts, in an order of its own;
  /// 0: as even as random gates are.
  public let skew: Double

  /// - Throws: ``CheckpointError`` where the gates of this shape cannot be skewed.
  public init(_ name: String, _ configuration: ModelConfiguration, seed: UInt64 = 0, skew: Double = 0) throws {
    guard skew == 0 || configuration.selection == .biasedGroups else {
      throw CheckpointError(
        file: name, subject: "skew", expected: "0, since its gates have no correction bias", found: "\(skew)",
        hint: "Only models of the V3 family can be skewed.")
    }
    self.name = name
    var configuration = configuration
    configuration.quantizationBlock = nil
    configuration.mtpLayers = 0
    self.configuration = configuration
    self.seed = seed
    self.skew = skew
  }

  /// What is added to the affinities of a layer's experts before the choice: normal numbers, and for a skew what makes
  /// an expert's chance of the first place fall with its rank in a random order.
  ///
  /// Scores are sigmoids of normal numbers, which differ by about a quarter. Were they Gumbel-distributed with the same
  /// spread, a bias of -scale * s * ln(rank) would give a Zipf law with the exponent s exactly.
  func gateBias(layer: Int) -> [Float] {
    let random = RandomTensor(seed: seed, name: ParameterNames.gateBias(layer))
    let count = configuration.routedExperts
    var biases = [Float](repeating: 0, count: count)
    random.forEach(0..<count) { biases[$0] = NormalTable.quantiles[Int($1)] * Self.plainDeviation }
    guard skew > 0 else { return biases }
    let order = (0..<count).sorted { (random.bits(UInt64(count + $0)), $0) < (random.bits(UInt64(count + $1)), $1) }
    for (rank, expert) in order.enumerated() {
      biases[expert] -= Self.gumbelScale * Float(skew) * Float(log(Double(rank + 1)))
    }
    return biases
  }

  private static let plainDeviation: Float = 0.01
  /// Of the Gumbel distribution with a deviation of 0.21, that of the sigmoid of a normal number.
  private static let gumbelScale: Float = 0.21 * 0.7797
}
