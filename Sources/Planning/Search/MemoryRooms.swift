import DeepSeek
import ExpertParallel
import Inference

/// What the nodes of a cluster have room for. A twentieth of what is available stays free, as in a run that chooses its
/// own context.
struct MemoryRooms: Sendable {
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

  /// `[nodes]`: bytes that the ranks of each, one in each NUMA domain, hold of a dense part that is divided so.
  ///
  /// - Parameter nodes: the coordinator's first, and its first rank is the coordinator.
  func shareBytes(_ slicing: DenseSlicing, _ nodes: [Int]) -> [Int] {
    /// `[ranks]`: the place of its node.
    let places = nodes.indices.flatMap { [Int](repeating: $0, count: cluster.nodes[nodes[$0]].domains) }
    let ranks = slicing.ranks(of: places.count, near: places.indices.filter { places[$0] == 0 })
    let share = costs.sizes.shareBytes(ranks: max(1, ranks.count))
    var bytes = [Int](repeating: 0, count: nodes.count)
    for rank in ranks where rank > 0 { bytes[places[rank]] += share }
    return bytes
  }

  /// Bytes that a node needs besides experts, with a rank in each NUMA domain.
  ///
  /// - Parameter shareBytes: what its ranks hold of a dense part that they divide.
  func fixedBytes(_ node: Int, isCoordinator: Bool, isRouter: Bool, shareBytes: Int) -> Int {
    let domains = cluster.nodes[node].domains
    guard
      let alone = try? Placement(owners: [Int](repeating: 0, count: costs.configuration.routedExperts), ranks: 1)
    else { preconditionFailure("one rank can hold all experts of any model") }
    let plan = plan(alone, threads: max(1, cluster.nodes[node].cores / domains))
    var bytes = shareBytes + domains * plan.hostBytes(costs.configuration.routedExperts)
    if isCoordinator { bytes += costs.sizes.dense + plan.stepBytes + plan.cacheBytesPerPosition * workload.context }
    if isRouter { bytes += costs.sizes.gates }
    return bytes
  }

  /// Experts that a node can hold; below 0 where not even the rest fits.
  ///
  /// - Parameter shareBytes: what its ranks hold of a dense part that they divide.
  func experts(_ node: Int, isCoordinator: Bool, isRouter: Bool, shareBytes: Int = 0) -> Int {
    let fixed = fixedBytes(node, isCoordinator: isCoordinator, isRouter: isRouter, shareBytes: shareBytes)
    let room = capacity(node) - fixed
    let size = max(costs.largestExpertBytes, 1)
    return room < 0 ? -((size - 1 - room) / size) : room / size
  }

  /// Whether no node would hold more than it may.
  func hasRoom(for placement: Placement, _ layout: RankLayout) -> Bool {
    fits(placement, layout).allSatisfy { $0.bytes <= $0.capacity }
  }

  /// What each node that has ranks would hold.
  func fits(_ placement: Placement, _ layout: RankLayout) -> [NodeFit] {
    let plan = plan(placement, threads: layout.threads[placement.coordinator])
    let ranksOfNode = Dictionary(grouping: layout.nodes.indices) { layout.nodes[$0] }
    return ranksOfNode.sorted { $0.key < $1.key }.map { node, ranks in
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

/// How many experts the nodes of a choice hold, at most.
struct GroupRooms {
  /// `[kinds, nodes of it]`: experts that the first so many hold.
  private let sums: [[Int]]
  /// `[kinds]`: how many more the first one holds where it does not coordinate; nil where it cannot.
  private let costs: [Int?]
  private let experts: Int

  init(_ rooms: MemoryRooms, _ kinds: NodeKinds) {
    experts = rooms.costs.configuration.routedExperts
    let held = kinds.kinds.map { nodes in
      nodes.map { max(0, rooms.experts($0, isCoordinator: false, isRouter: false)) }
    }
    sums = held.map { $0.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) } }
    costs = zip(kinds.kinds, held).map { nodes, held in
      let coordinating = rooms.experts(nodes[0], isCoordinator: true, isRouter: false)
      return coordinating < 0 ? nil : held[0] - coordinating
    }
  }

  /// - Parameter choice: nodes of each kind.
  func mayHold(_ choice: [Int]) -> Bool {
    let sum = zip(sums, choice).reduce(0) { $0 + $1.0[$1.1] }
    return zip(costs, choice).contains { cost, count in count > 0 && cost.map { sum - $0 >= experts } ?? false }
  }
}
