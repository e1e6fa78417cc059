import DeepSeek
import ExpertParallel
import Inference

/// What the nodes of a cluster have room for. A twentieth of what is available stays free, as in a run that chooses its
/// own context.
struct MemoryRooms {
  let costs: ModelCosts
  let cluster: ClusterDescription
  let workload: Workload
  let prefillChunk: Int

  init(_ costs: ModelCosts, _ cluster: ClusterDescription, _ workload: Workload) {
    self.costs = costs
    self.cluster = cluster
    self.workload = workload
    prefillChunk = min(workload.prefillChunk, workload.context)
  }

  /// Bytes that ranks may take on a node.
  func capacity(_ node: Int) -> Int {
    let available = cluster.nodes[node].memoryBytes.available
    return available - available / 20
  }

  func plan(_ placement: Placement, threads: Int) -> MemoryPlan {
    MemoryPlan(
      configuration: costs.configuration, formats: costs.formats, sizes: costs.sizes, cacheFormat: costs.cacheFormat,
      placement: placement, prefillChunk: prefillChunk, sequences: workload.sequences, threads: threads)
  }

  /// Bytes that a node needs besides experts, with a rank in each NUMA domain.
  func fixedBytes(_ node: Int, isCoordinator: Bool, isRouter: Bool) -> Int {
    let domains = cluster.nodes[node].domains
    guard
      let alone = try? Placement(owners: [Int](repeating: 0, count: costs.configuration.routedExperts), ranks: 1)
    else { preconditionFailure("one rank can hold all experts of any model") }
    let plan = plan(alone, threads: max(1, cluster.nodes[node].cores / domains))
    var bytes = domains * plan.hostBytes(costs.configuration.routedExperts)
    if isCoordinator { bytes += costs.sizes.dense + plan.stepBytes + plan.cacheBytesPerPosition * workload.context }
    if isRouter { bytes += costs.sizes.gates }
    return bytes
  }

  /// Experts that a node can hold; below 0 where not even the rest fits.
  func experts(_ node: Int, isCoordinator: Bool, isRouter: Bool) -> Int {
    let room = capacity(node) - fixedBytes(node, isCoordinator: isCoordinator, isRouter: isRouter)
    let size = max(costs.largestExpertBytes, 1)
    return room < 0 ? -((size - 1 - room) / size) : room / size
  }

  /// What each node that has ranks would hold.
  func fits(_ placement: Placement, _ layout: RankLayout) -> [NodeFit] {
    let plan = plan(placement, threads: layout.threads[placement.coordinator])
    return Set(layout.nodes).sorted().map { node in
      let ranks = layout.nodes.indices.filter { layout.nodes[$0] == node }
      let isCoordinator = ranks.contains(placement.coordinator)
      let experts = ranks.reduce(0) { $0 + placement.experts(of: $1).reduce(0) { $0 + costs.sizes.experts[$1] } }
      let gates = ranks.contains(placement.router) ? costs.sizes.gates : 0
      let weights = ranks.reduce(0) { $0 + plan.weightBytes(rank: $1) }
      let all = plan.bytes(ranks: ranks, contextSize: workload.context)
      let cache = isCoordinator ? plan.cacheBytesPerPosition * workload.context : 0
      return NodeFit(
        node: node, ranks: ranks, experts: ranks.reduce(0) { $0 + placement.experts(of: $1).count },
        expertBytes: experts, denseBytes: weights - experts - gates, gateBytes: gates, cacheBytes: cache,
        bufferBytes: all - weights - cache, capacity: capacity(node))
    }
  }
}

/// What a node holds, in bytes.
public struct NodeFit: Sendable, Equatable {
  /// Index into the cluster's.
  public let node: Int
  public let ranks: [Int]
  /// Of each layer.
  public let experts: Int
  public let expertBytes: Int
  public let denseBytes: Int
  public let gateBytes: Int
  public let cacheBytes: Int
  public let bufferBytes: Int
  /// What it may take.
  public let capacity: Int

  public var bytes: Int { expertBytes + denseBytes + gateBytes + cacheBytes + bufferBytes }
}

/// What a cluster lacks to hold a model.
public struct Shortage: Error, Sendable, Equatable {
  public struct Node: Sendable, Equatable {
    /// Index into the cluster's.
    public let node: Int
    public let capacity: Int
    /// Everything but experts.
    public let fixedBytes: Int
    /// Of each layer that fit beside that.
    public let experts: Int
  }

  /// The coordinator's node first.
  public let nodes: [Node]
  /// Bytes of one expert, all layers.
  public let expertBytes: Int
  /// Experts of each layer that fit nowhere.
  public let missingExperts: Int
  /// Bytes by which the dense part, cache and buffers are too large for the coordinator's node.
  public let missingOnCoordinator: Int

  public var missingBytes: Int { missingExperts * expertBytes + missingOnCoordinator }

  /// With every node used, and the one with most memory coordinating.
  init(_ rooms: MemoryRooms) {
    let cluster = rooms.cluster
    let most = cluster.nodes.indices.map(rooms.capacity).max() ?? 0
    let coordinator = cluster.nodes.indices.first { rooms.capacity($0) == most } ?? 0
    let order = [coordinator] + cluster.nodes.indices.filter { $0 != coordinator }
    nodes = order.enumerated().map { place, node in
      let isRouter = place == min(1, order.count - 1)
      return Node(
        node: node, capacity: rooms.capacity(node),
        fixedBytes: rooms.fixedBytes(node, isCoordinator: place == 0, isRouter: isRouter),
        experts: max(0, rooms.experts(node, isCoordinator: place == 0, isRouter: isRouter)))
    }
    expertBytes = rooms.costs.largestExpertBytes
    let held = nodes.reduce(0) { $0 + $1.experts }
    missingExperts = max(0, rooms.costs.configuration.routedExperts - held)
    missingOnCoordinator = max(0, nodes[0].fixedBytes - nodes[0].capacity)
  }
}
