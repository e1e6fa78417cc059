import Inference

/// How a recorded run used the experts.
public struct RoutingUse: Sendable {
  public let experts: Int
  public let tokens: Int
  /// Numbers of the layers with experts.
  public let layers: [Int]
  /// `[layers, experts]`: tokens that visited an expert.
  public let counts: [Int]
  /// Pairs of experts of one layer that most tokens visited together, most first.
  public let pairs: [Pair]

  public struct Pair: Sendable, Equatable {
    public let layer: Int
    public let first: Int
    public let second: Int
    public let tokens: Int
    /// How many tokens that would be if the choices had nothing to do with each other.
    public let expected: Double
  }

  /// - Parameter mostPairs: how many of them are kept.
  public init(_ record: RoutingRecord, mostPairs: Int = 10) {
    let header = record.header
    (experts, tokens, layers) = (header.experts, record.tokens, header.layers)
    var counts = [Int](repeating: 0, count: header.layers.count * header.experts)
    var pairs: [Pair] = []
    for (index, layer) in header.layers.enumerated() {
      // By pair: a table of all pairs would be as large as a file claims that a layer is.
      var together: [Int: Int] = [:]
      for token in 0..<record.tokens {
        let chosen = record.experts(ofToken: token, layer: index)
        for (position, expert) in chosen.enumerated() {
          counts[index * header.experts + Int(expert)] += 1
          for other in chosen.dropFirst(position + 1) {
            together[Int(expert) * header.experts + Int(other), default: 0] += 1
          }
        }
      }
      let row = Array(counts[index * header.experts..<(index + 1) * header.experts])
      pairs += Self.most(together, row, layer: layer, tokens: record.tokens, mostPairs)
    }
    self.counts = counts
    self.pairs = Array(pairs.sorted { ($1.tokens, $0.layer) < ($0.tokens, $1.layer) }.prefix(mostPairs))
  }

  private static func most(
    _ together: [Int: Int], _ counts: [Int], layer: Int, tokens: Int, _ most: Int
  ) -> [Pair] {
    together.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(most).map { place, visits in
      let (first, second) = place.quotientAndRemainder(dividingBy: counts.count)
      return Pair(
        layer: layer, first: first, second: second, tokens: visits,
        expected: Double(counts[first]) * Double(counts[second]) / Double(max(tokens, 1)))
    }
  }

  /// Tokens that visited an expert, over all layers; by expert.
  public var countsByExpert: [Int] {
    (0..<experts).map { expert in layers.indices.reduce(0) { $0 + counts[$1 * experts + expert] } }
  }

  /// Tokens that the busiest expert of a layer got, over the mean; by layer.
  public var imbalance: [Double] {
    layers.indices.map { layer in
      let row = counts[layer * experts..<(layer + 1) * experts]
      let sum = row.reduce(0, +)
      return sum > 0 ? Double(row.max()!) * Double(experts) / Double(sum) : 1
    }
  }

  /// Experts of a layer that no token visited; by layer.
  public var unused: [Int] {
    layers.indices.map { layer in counts[layer * experts..<(layer + 1) * experts].count { $0 == 0 } }
  }
}

extension RoutingSample {
  /// Visits of a record, each layer of a token for itself, at most `most` of them, spread evenly over the record.
  public init(_ record: RoutingRecord, most: Int = 4096) {
    let (layers, k) = (record.header.layers.count, record.header.expertsPerToken)
    let visits = record.tokens * layers
    let count = min(visits, most)
    var experts: [UInt16] = []
    experts.reserveCapacity(count * k)
    for index in 0..<count {
      let visit = index * visits / count
      experts += record.experts(ofToken: visit / layers, layer: visit % layers)
    }
    self.init(tokens: count, expertsPerToken: k, experts: experts)
  }
}
