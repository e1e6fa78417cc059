import Inference

/// What a cluster lacks to hold a model.
public struct Shortage: Error, Sendable, Equatable {
  public struct Node: Sendable, Equatable {
    /// Index into the cluster's.
    public let node: Int
    public let capacity: Int
    /// Everything but experts.
    public let fixedBytes: Int
    /// Of that, what its ranks hold once more of the dense part, to divide it as was asked.
    public let shareBytes: Int
    /// Of each layer that fit beside that.
    public let experts: Int
    /// Of each layer that have no place, shared out evenly over the nodes.
    public let missingExperts: Int
    /// For those, and on the coordinator's node what is too much there without any expert.
    public let missingBytes: Int
  }

  /// The coordinator's node first.
  public let nodes: [Node]
  /// Of each layer.
  public let experts: Int
  /// Bytes of one expert, all layers.
  public let expertBytes: Int
  /// Bytes by which the dense part, cache and buffers are too large for the coordinator's node.
  public let missingOnCoordinator: Int
  /// Who was asked to divide the dense part; nil: nobody was, and nodes hold no shares of it.
  public let denseSlices: DenseSlicing?

  /// Experts of each layer that fit nowhere.
  public var missingExperts: Int { nodes.reduce(0) { $0 + $1.missingExperts } }
  public var missingBytes: Int { nodes.reduce(0) { $0 + $1.missingBytes } }
  /// Of all nodes: what the model needs, what they may take, and what is left on them, too little for one more expert.
  public var neededBytes: Int { nodes.reduce(experts * expertBytes) { $0 + $1.fixedBytes } }
  public var shareBytes: Int { nodes.reduce(0) { $0 + $1.shareBytes } }
  public var capacity: Int { nodes.reduce(0) { $0 + $1.capacity } }
  public var leftBytes: Int {
    nodes.reduce(0) { $0 + max(0, $1.capacity - $1.fixedBytes - $1.experts * expertBytes) }
  }

  /// With every node used, and the one with most memory coordinating.
  init(_ rooms: MemoryRooms, _ denseSlices: DenseSlicing?) {
    let cluster = rooms.cluster
    let capacities = cluster.nodes.indices.map(rooms.capacity)
    let most = capacities.max() ?? 0
    let coordinator = capacities.firstIndex(of: most) ?? 0
    let order = [coordinator] + cluster.nodes.indices.filter { $0 != coordinator }
    let (all, size) = (rooms.costs.configuration.routedExperts, rooms.costs.largestExpertBytes)
    let shares = rooms.shareBytes(denseSlices ?? .none, order)
    let router = min(1, order.count - 1)
    let held = order.enumerated().map { place, node in
      max(0, rooms.experts(node, isCoordinator: place == 0, isRouter: place == router, shareBytes: shares[place]))
    }
    let missing = max(0, all - held.reduce(0, +))
    let fixed = order.enumerated().map { place, node in
      rooms.fixedBytes(node, isCoordinator: place == 0, isRouter: place == router, shareBytes: shares[place])
    }
    let tooMuch = max(0, fixed[0] - most)
    nodes = order.enumerated().map { place, node in
      let own = missing / order.count + (place < missing % order.count ? 1 : 0)
      return Node(
        node: node, capacity: capacities[node], fixedBytes: fixed[place], shareBytes: shares[place],
        experts: held[place], missingExperts: own, missingBytes: own * size + (place == 0 ? tooMuch : 0))
    }
    (experts, expertBytes, missingOnCoordinator) = (all, size, tooMuch)
    self.denseSlices = denseSlices
  }
}
