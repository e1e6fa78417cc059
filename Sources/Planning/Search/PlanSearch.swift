import Checkpoint
import DeepSeek
import Dispatch
import ExpertParallel
import Inference
import Synchronization

/// Finds the placement that is predicted to be the fastest among those that fit.
///
/// Most candidates do not depend on speeds: which nodes take part (those of a kind in the order of the cluster), which
/// coordinates and routes, how the experts are shared out, and how many routing groups a rank's experts come from. So a
/// faster node or link leaves every one of these and makes none slower, and one more node only adds some. Beside them there
/// are the same with the strongest nodes first, and with shares in proportion to strength.
public struct PlanSearch: Sendable {
  public let costs: ModelCosts
  let cluster: ClusterDescription
  public let workload: Workload
  public let sample: RoutingSample
  /// Who divides the dense part of generated tokens; nil: nobody, the coordinator's node or all, whatever is fastest.
  public let denseSlices: DenseSlicing?
  let efficiency: Efficiency
  let rooms: MemoryRooms
  private let strength: NodeStrength

  /// Tokens of the sample, where none is given.
  public static let sampleTokens = 2048

  /// - Parameters:
  ///   - sample: nil: uniform gates.
  ///   - denseSlices: who divides the dense part of generated tokens; nil: whatever is fastest.
  public init(
    _ costs: ModelCosts, on cluster: ClusterDescription, workload: Workload, sample: RoutingSample? = nil,
    denseSlices: DenseSlicing? = nil, efficiency: Efficiency = Efficiency()
  ) {
    self.costs = costs
    self.cluster = cluster
    self.workload = workload
    self.sample = sample ?? RoutingSample(costs.configuration, tokens: Self.sampleTokens)
    self.denseSlices = denseSlices
    self.efficiency = efficiency
    rooms = MemoryRooms(costs, cluster, workload)
    strength = NodeStrength(cluster)
  }

  /// The same model and workload elsewhere.
  public func on(_ cluster: ClusterDescription) -> PlanSearch { with(cluster: cluster) }

  /// The same for a model in other formats.
  public func of(_ costs: ModelCosts) -> PlanSearch { with(costs: costs) }

  /// The same but for what is given.
  func with(
    costs: ModelCosts? = nil, cluster: ClusterDescription? = nil, workload: Workload? = nil
  ) -> PlanSearch {
    PlanSearch(
      costs ?? self.costs, on: cluster ?? self.cluster, workload: workload ?? self.workload, sample: sample,
      denseSlices: denseSlices, efficiency: efficiency)
  }

  /// The same where nobody asks who divides the dense part.
  public var undecided: PlanSearch {
    PlanSearch(costs, on: cluster, workload: workload, sample: sample, efficiency: efficiency)
  }

  /// What is missing where every node is used; nil where nothing is.
  public var shortage: Shortage? {
    let shortage = Shortage(rooms, denseSlices)
    return shortage.missingBytes > 0 ? shortage : nil
  }

  /// Told how many of all groups of nodes have been looked at: from any thread, one at a time.
  public typealias Progress = @Sendable (_ done: Int, _ total: Int) -> Void

  /// - Throws: ``Shortage`` where no placement fits.
  public func best(progress: Progress = { _, _ in }) throws(Shortage) -> Plan {
    var seen: Set<[Int]> = []
    let groups = orders.flatMap(groups).filter { seen.insert($0.nodes + $0.kinds).inserted }
    guard let best = fastest(of: groups, progress) else { throw Shortage(rooms, denseSlices) }
    return plan(best)
  }

  /// On all cores; of equal ones the first, as on one.
  private func fastest(of groups: [Group], _ progress: Progress) -> Scored? {
    let found = Mutex((done: 0, best: [Scored?](repeating: nil, count: groups.count)))
    DispatchQueue.concurrentPerform(iterations: groups.count) { index in
      var best: Scored?
      _ = search(groups[index]) {
        consider($0, &best)
        return true
      }
      let kept = best
      found.withLock {
        $0.best[index] = kept
        $0.done += 1
        progress($0.done, groups.count)
      }
    }
    return found.withLock { $0.best }.compactMap(\.self).reduce(nil as Scored?) { best, other in
      other.seconds < best?.seconds ?? .infinity ? other : best
    }
  }

  /// Whether any placement fits.
  public var hasPlan: Bool {
    orders.contains { order in groups(order).contains { group in !search(group) { _ in false } } }
  }

  /// As the cluster has them, and the strongest first.
  private var orders: [[Int]] { [Array(cluster.nodes.indices), strength.order] }

  /// All that may hold the model.
  private func groups(_ order: [Int]) -> [Group] {
    let kinds = NodeKinds(cluster, order: order)
    let rooms = GroupRooms(rooms, kinds)
    let choices = kinds.choices(most: costs.configuration.routedExperts + 2) { rooms.mayHold($0) }
    return choices.flatMap { groups(kinds, $0) }
  }

  private struct Scored: Sendable {
    let candidate: Candidate
    let prediction: Prediction
    var seconds: Double { prediction.seconds }
  }

  struct Candidate: Sendable {
    let placement: Placement
    let layout: RankLayout
    let spread: Int
  }

  /// Nodes that take part, in the order of ranks, the coordinator's first.
  struct Group: Sendable {
    let nodes: [Int]
    /// `[nodes]`, an index of those that are used.
    let kinds: [Int]
    let kindCount: Int

    /// Of more nodes than that, one has so few experts that shares and spreads between hardly differ.
    var isLarge: Bool { nodes.count > 24 }
  }

  private func groups(_ kinds: NodeKinds, _ choice: [Int]) -> [Group] {
    let nodes = kinds.nodes(choice)
    let used = choice.indices.filter { choice[$0] > 0 }
    return used.map { kind in
      let coordinator = kinds.kinds[kind][0]
      let order = [coordinator] + nodes.filter { $0 != coordinator }
      let kindOf = order.map { used.firstIndex(of: kinds.kindOf[$0]) ?? 0 }
      return Group(nodes: order, kinds: kindOf, kindCount: used.count)
    }
  }

  /// - Returns: whether to go on.
  private func search(_ group: Group, _ body: (Candidate) -> Bool) -> Bool {
    let room = group.nodes.enumerated().reduce(0) {
      $0 + max(0, rooms.experts($1.element, isCoordinator: $1.offset == 0, isRouter: false))
    }
    let count = costs.configuration.routedExperts
    guard room >= count, rooms.experts(group.nodes[0], isCoordinator: true, isRouter: false) >= 0 else { return true }
    let ranks = group.nodes.flatMap { [Int](repeating: $0, count: cluster.nodes[$0].domains) }
    guard ranks.count <= Placement.mostRanks else { return true }
    let layout = RankLayout(cluster: cluster, nodes: ranks, efficiency: efficiency)
    var seen: Set<[Int]> = []
    for router in routers(group) {
      for counts in counts(group, routerNode: ranks[router]) {
        for spread in spreads(group) {
          let owners = ExpertShares.owners(counts, order: ExpertShares.order(costs.configuration, spread: spread))
          guard seen.insert(owners + [router]).inserted,
            let undivided = try? Placement(owners: owners, ranks: ranks.count, coordinator: 0, router: router)
          else { continue }
          let placement = denseSlices.map { undivided.divided($0, layout) } ?? undivided
          let candidate = Candidate(placement: placement, layout: layout, spread: spread)
          if fits(candidate), !body(candidate) { return false }
        }
      }
    }
    return true
  }

  /// Whether the search looks who had best divide the dense part.
  private var mayDivide: Bool { denseSlices == nil }

  /// Nothing that exceeds a node's memory is ever looked at.
  private func fits(_ candidate: Candidate) -> Bool { rooms.hasRoom(for: candidate.placement, candidate.layout) }

  private func consider(_ candidate: Candidate, _ best: inout Scored?) {
    let model = RunModel(costs, candidate.placement, candidate.layout, sample, efficiency)
    let prediction = Prediction(model, workload)
    if prediction.seconds < best?.seconds ?? .infinity {
      best = Scored(candidate: candidate, prediction: prediction)
    }
    guard mayDivide else { return }
    for placement in candidate.placement.divisions(candidate.layout) {
      let divided = Candidate(placement: placement, layout: candidate.layout, spread: candidate.spread)
      let faster = Prediction(prediction, of: model, dividing: placement, layout: candidate.layout)
      guard faster.seconds < best?.seconds ?? .infinity, fits(divided) else { continue }
      best = Scored(candidate: divided, prediction: faster)
    }
  }

  private func plan(_ scored: Scored) -> Plan {
    let (chosen, layout) = (scored.candidate.placement, scored.candidate.layout)
    guard let placement = try? chosen.dividing(among: chosen.slices) else { preconditionFailure("its own ranks") }
    return Plan(
      costs: costs, cluster: cluster, workload: workload, placement: placement, layout: layout,
      spread: scored.candidate.spread, denseSlices: denseSlices, prediction: scored.prediction,
      fits: rooms.fits(placement, layout), load: PlacementLoad(placement, sample), sample: sample,
      efficiency: efficiency)
  }
}

// What the candidates are.
extension PlanSearch {
  /// The coordinator's rank, the next one (of its node where that has several), the first of the next node.
  private func routers(_ group: Group) -> [Int] {
    let domains = group.nodes.map { cluster.nodes[$0].domains }
    let ranks = domains.reduce(0, +)
    return Set([1, 0, domains[0]]).filter { $0 < ranks }.sorted()
  }

  /// Routing groups that a rank's experts come from.
  private func spreads(_ group: Group) -> [Int] {
    let all = ExpertShares.spreads(costs.configuration)
    return group.kindCount == 1 && !group.isLarge ? all : Array(Set([all[0], all[all.count - 1]])).sorted()
  }

  /// `[nodes]`: the weight of each in the sharing, and the coordinator's own share of that.
  private struct Weights {
    let nodes: [Double]
    let coordinator: Double
  }

  private func weights(_ group: Group) -> [Weights] {
    let ratios: [Double] = group.isLarge ? [0, 0.5, 1, 2] : [0, 0.25, 0.5, 0.75, 1, 4.0 / 3, 2, 4]
    var combinations: [[Double]] = [[1]]
    for _ in 1..<max(1, group.kindCount) { combinations = combinations.flatMap { list in ratios.map { list + [$0] } } }
    let own: [Double] = group.isLarge ? [1, 0] : group.kindCount == 1 ? [1, 0.75, 0.5, 0.25, 0] : [1, 0.5, 0]
    var shares = combinations.map { combination in group.kinds.map { combination[$0] } }
    if let strengths = strength.weights(group.nodes) { shares.append(strengths) }
    return shares.flatMap { nodes in own.map { Weights(nodes: nodes, coordinator: $0) } }
  }

  /// `[ranks]` each: numbers of experts that fit, with room for the shares of every division that may be chosen.
  private func counts(_ group: Group, routerNode: Int) -> [[Int]] {
    let divisions: [DenseSlicing] = denseSlices.map { [$0] } ?? (mayDivide ? [.none, .host, .all] : [.none])
    var seen: Set<[Int]> = []
    return divisions.flatMap { division in
      let caps = caps(group, routerNode: routerNode, division)
      return weights(group).compactMap { counts(group, weights: $0, caps: caps) }
    }.filter { seen.insert($0).inserted }
  }

  /// `[nodes]`: how many experts each holds at most beside its shares of the dense part.
  private func caps(_ group: Group, routerNode: Int, _ division: DenseSlicing) -> [Int] {
    let shares = rooms.shareBytes(division, group.nodes)
    return group.nodes.enumerated().map { place, node in
      let isRouter = node == routerNode
      return max(0, rooms.experts(node, isCoordinator: place == 0, isRouter: isRouter, shareBytes: shares[place]))
    }
  }

  /// `[ranks]`: experts of each; nil where the nodes do not hold all.
  private func counts(_ group: Group, weights: Weights, caps: [Int]) -> [Int]? {
    let domains = group.nodes.map { cluster.nodes[$0].domains }
    // A part for each rank; the coordinator's is smaller.
    var parts = weights.nodes
    parts[0] *= (Double(domains[0] - 1) + weights.coordinator) / Double(domains[0])
    guard let byNode = ExpertShares.divide(costs.configuration.routedExperts, weights: parts, caps: caps) else {
      return nil
    }
    var counts: [Int] = []
    for (place, count) in byNode.enumerated() {
      var ranks = [Double](repeating: 1, count: domains[place])
      // Alone on its node, the coordinator takes what the node was given.
      if place == 0, domains[0] > 1 { ranks[0] = weights.coordinator }
      guard let split = ExpertShares.divide(count, weights: ranks, caps: ranks.map { _ in count }) else { return nil }
      counts += split
    }
    return counts
  }
}
