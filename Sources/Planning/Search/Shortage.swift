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
    /// For those, and what is too much there without any expert.
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
    nodes.reduce(0) { $0 + max(0, $1.capacity - $1.fixedBytes - $1.experts * expertBytes) } + spareExperts * expertBytes
  }
  /// Experts that would fit beside all that there are.
  public var spareExperts: Int { max(0, nodes.reduce(0) { $0 + $1.experts } - experts) }
  /// What buffers and shares are too large for nodes that do not coordinate.
  public var missingForBuffers: Int { missingBytes - missingOnCoordinator - missingExperts * expertBytes }

  /// With every node used, and the one with most memory coordinating.
  init(_ rooms: MemoryRooms, _ denseSlices: DenseSlicing?) {
    let cluster = rooms.cluster
    let capacities = cluster.nodes.indices.map(rooms.capacity)
    let most = capacities.max() ?? 0
    let coordinator = capacities.firstIndex(of: most) ?? 0
    let order = [coordinator] + cluster.nodes.indices.filter { $0 != coordinator }
    let (all, size) = (rooms.costs.configuration.routedExperts, rooms.costs.largestExpertBytes)
    let shares = rooms.shareBytes(denseSlices ?? .none, order)
    let router =
      order.indices.dropFirst().first {
        rooms.experts(order[$0], isCoordinator: false, isRouter: true, shareBytes: shares[$0]) >= 0
      } ?? 0
    let held = order.enumerated().map { place, node in
      max(0, rooms.experts(node, isCoordinator: place == 0, isRouter: place == router, shareBytes: shares[place]))
    }
    let missing = max(0, all - held.reduce(0, +))
    let fixed = order.enumerated().map { place, node in
      // A node that is to hold nothing needs nothing.
      ![0, router].contains(place) && held[place] == 0 && missing == 0 && shares[place] == 0
        ? 0 : rooms.fixedBytes(node, isCoordinator: place == 0, isRouter: place == router, shareBytes: shares[place])
    }
    let tooMuch = zip(order, fixed).map { max(0, $1 - capacities[$0]) }
    nodes = order.enumerated().map { place, node in
      let own = missing / order.count + (place < missing % order.count ? 1 : 0)
      return Node(
        node: node, capacity: capacities[node], fixedBytes: fixed[place], shareBytes: shares[place],
        experts: held[place], missingExperts: own, missingBytes: own * size + tooMuch[place])
    }
    (experts, expertBytes, missingOnCoordinator) = (all, size, tooMuch[0])
    self.denseSlices = denseSlices
  }
}
