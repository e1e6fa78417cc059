import Inference

/// The speed that was asked for last: most clusters are many nodes alike.
struct KnownSpeed {
  private let efficiency: Efficiency
  private var last: (node: ClusterDescription.Node, threads: Int, speed: RankSpeed)?

  init(_ efficiency: Efficiency) { self.efficiency = efficiency }

  mutating func speed(_ node: ClusterDescription.Node, threads: Int) -> RankSpeed {
    if let last, last.threads == threads, last.node.isAsFast(as: node) { return last.speed }
    let speed = RankSpeed(node, threads: threads, efficiency)
    last = (node, threads, speed)
    return speed
  }
}

extension ClusterDescription.Node {
  /// Whether all that was measured is the same.
  func isAsFast(as other: Self) -> Bool {
    var other = other
    (other.name, other.memoryBytes, other.interface) = (name, memoryBytes, interface)
    return self == other
  }
}
