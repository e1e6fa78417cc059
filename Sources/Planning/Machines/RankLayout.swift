import ExpertParallel
import Inference

/// Which rank runs on which node of a cluster, with how many threads, and what that gives it.
public struct RankLayout: Sendable {
  public let cluster: ClusterDescription
  /// `[ranks]`: the node of each, an index into the cluster's.
  public let nodes: [Int]
  /// `[ranks]`: compute threads.
  public let threads: [Int]
  /// `[ranks]`: of a rank while the others of its node rest.
  public private(set) var speeds: [RankSpeed]
  /// `[nodes of the cluster]`: of all its ranks together.
  public private(set) var nodeSpeeds: [RankSpeed]
  /// `[nodes of the cluster]`
  private let ranksOfNode: [Int]
  /// Whether it is known of a node what messages take from its processors.
  let countsMessages: Bool
  /// `[nodes of the cluster]`: threads of all ranks, at most as many as cores.
  private let threadsOfNode: [Int]
  private let efficiency: Efficiency

  /// - Parameter threads: of each rank; nil: the cores of its node, divided.
  public init(cluster: ClusterDescription, nodes: [Int], threads: [Int]? = nil, efficiency: Efficiency = Efficiency()) {
    var counts = [Int](repeating: 0, count: cluster.nodes.count)
    for node in nodes { counts[node] += 1 }
    let threads = threads ?? nodes.map { max(1, cluster.nodes[$0].cores / counts[$0]) }
    var used = [Int](repeating: 0, count: cluster.nodes.count)
    for (node, count) in zip(nodes, threads) { used[node] += count }
    var known = KnownSpeed(efficiency)
    let threadsOfNode = cluster.nodes.indices.map { min(cluster.nodes[$0].cores, max(1, used[$0])) }
    nodeSpeeds = cluster.nodes.indices.map { known.speed(cluster.nodes[$0], threads: threadsOfNode[$0]).ofSeveralRanks }
    speeds = zip(nodes, threads).map { [nodeSpeeds] index, count in
      let node = cluster.nodes[index]
      // Several ranks keep to NUMA domains of their own.
      return known.speed(node, threads: min(count, node.cores))
        .limited(to: nodeSpeeds[index], part: min(counts[index], node.domains))
    }
    ranksOfNode = counts
    countsMessages = cluster.nodes.contains { $0.messageCost != nil }
    self.threadsOfNode = threadsOfNode
    self.cluster = cluster
    self.nodes = nodes
    self.threads = threads
    self.efficiency = efficiency
  }

  /// Ranks dealt out round the nodes, as `launch` does.
  ///
  /// - Parameter threads: of each rank; nil: the cores of its node, divided.
  public init(cluster: ClusterDescription, ranks: Int, threads: Int?) {
    self.init(
      cluster: cluster, nodes: (0..<ranks).map { $0 % cluster.nodes.count },
      threads: threads.map { Array(repeating: $0, count: ranks) })
  }

  public var ranks: Int { nodes.count }

  /// Whether several ranks run on a node.
  var hasNeighbours: Bool { ranksOfNode.contains { $0 > 1 } }
  /// The nodes that have several, in their order.
  var sharedNodes: [Int] { ranksOfNode.indices.filter { ranksOfNode[$0] > 1 } }

  /// Where the last-level cache of a node holds all weights of its ranks, nothing is read from memory.
  ///
  /// - Parameter weights: `[ranks]`: bytes.
  func cachingWeights(_ weights: [Int]) -> RankLayout {
    var held = [Int](repeating: 0, count: nodeSpeeds.count)
    for (node, bytes) in zip(nodes, weights) { held[node] += bytes }
    var layout = self
    for (index, node) in cluster.nodes.enumerated() {
      guard let cache = node.cacheBytes, held[index] <= cache else { continue }
      layout.nodeSpeeds[index].holdsWeightsInCache = true
      for rank in nodes.indices where nodes[rank] == index { layout.speeds[rank].holdsWeightsInCache = true }
    }
    return layout
  }

  func cachesAsMany(as other: RankLayout) -> Bool {
    zip(nodeSpeeds, other.nodeSpeeds).allSatisfy { $0.holdsWeightsInCache == $1.holdsWeightsInCache }
  }

  func shareNode(_ a: Int, _ b: Int) -> Bool { nodes[a] == nodes[b] }

  /// Whether all ranks that divide the dense part are of the coordinator's node.
  public func hasSharesOnOneNode(_ placement: Placement) -> Bool {
    placement.slices.allSatisfy { shareNode(placement.coordinator, $0) }
  }

  /// Of a short message; seconds.
  func latency(from sender: Int, to receiver: Int) -> Double {
    shareNode(sender, receiver)
      ? efficiency.sharedMemoryLatency : cluster.links.latencySeconds[nodes[sender]][nodes[receiver]]
  }

  /// Seconds for which a message to another node keeps all threads of the rank from other work.
  func secondsToSend(_ bytes: Double, by rank: Int) -> Double {
    bytes * (cluster.nodes[nodes[rank]].messageCost?.secondsPerByteSent ?? 0) / processors(of: rank)
  }

  /// The same of one from another node.
  func secondsToReceive(_ bytes: Double, by rank: Int) -> Double {
    bytes * (cluster.nodes[nodes[rank]].messageCost?.secondsPerByteReceived ?? 0) / processors(of: rank)
  }

  private func processors(of rank: Int) -> Double { Double(min(threads[rank], cluster.nodes[nodes[rank]].cores)) }

  /// Nodes of ranks whose messages to other nodes count as nothing for their processors, since that was not calibrated.
  public var nodesWithoutMessageCost: [Int] {
    let used = Set(nodes)
    return used.count > 1 ? used.filter { cluster.nodes[$0].messageCost == nil }.sorted() : []
  }

  /// Whether other ranks run on a rank's node.
  func hasNeighbours(_ rank: Int) -> Bool { ranksOfNode[nodes[rank]] > 1 }

  /// Of what its node has, a rank's part.
  func partOfNode(_ rank: Int) -> Double { processors(of: rank) / Double(threadsOfNode[nodes[rank]]) }

  func bytesPerSecond(from sender: Int, to receiver: Int) -> Double {
    shareNode(sender, receiver)
      ? efficiency.sharedMemoryBytesPerSecond : cluster.links.bytesPerSecond[nodes[sender]][nodes[receiver]]
  }
}
