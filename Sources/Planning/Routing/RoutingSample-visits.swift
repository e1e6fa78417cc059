import Checkpoint
import DeepSeek
import Foundation
import Inference

// Samples in the order of a run: `[steps, layers, sequences]`, each entry one token's visit to one layer.

extension RoutingSample {
  /// Long runs use the same visits again.
  private static let mostVisits = 1 << 18

  /// Visits as they might come.
  ///
  /// - Parameters:
  ///   - steps: of decode.
  ///   - skew: exponent of a Zipf law over the experts of a layer, in an order of each layer's own; 0: all
  ///     equal.
  public init(
    visits steps: Int, sequences: Int, _ configuration: ModelConfiguration, skew: Double, gates: Gates, seed: UInt64
  ) {
    let layers = max(1, configuration.moeLayers.count)
    let count = min(Self.mostVisits, max(1, steps) * layers * sequences)
    guard skew > 0 else {
      self.init(configuration, tokens: count, gates: gates, seed: seed)
      return
    }
    var generator = SplitMix(state: seed)
    let popularity = (0..<layers).map { _ in
      let weights = (1...configuration.routedExperts).map { 1 / pow(Double($0), skew) }
      return weights.shuffled(using: &generator)
    }
    self.init(configuration, tokens: count, gates: gates, seed: seed) { popularity[$0 / sequences % layers] }
  }

  /// Visits of a record, token after token; each step takes as many tokens as there are sequences.
  public init(visits steps: Int, sequences: Int, of record: RoutingRecord) {
    let (layers, k) = (record.header.layers.count, record.header.expertsPerToken)
    let wanted = min(max(1, steps), max(1, Self.mostVisits / (layers * sequences)))
    var experts: [UInt16] = []
    experts.reserveCapacity(wanted * layers * sequences * k)
    for step in 0..<wanted {
      for layer in 0..<layers {
        for sequence in 0..<sequences {
          experts += record.experts(ofToken: (step * sequences + sequence) % record.tokens, layer: layer)
        }
      }
    }
    self.init(tokens: wanted * layers * sequences, expertsPerToken: k, experts: experts)
  }
}
