import ExpertParallel
import Inference

/// Which rank does what on which node, what that takes of memory, and how fast it is predicted to be.
public struct Plan: Sendable {
  public let costs: ModelCosts
  public let cluster: ClusterDescription
  public let workload: Workload
  public let placement: Placement
  public let layout: RankLayout
  /// Routing groups that a rank's experts come from, see ``ExpertShares``.
  public let spread: Int
  /// Who was asked to divide the dense part of generated tokens; nil: whoever makes it fastest.
  public let denseSlices: DenseSlicing?
  public let prediction: Prediction
  /// Nodes that take part, in the order of the cluster.
  public let fits: [NodeFit]
  public let load: PlacementLoad
  let sample: RoutingSample
  let efficiency: Efficiency

  /// Nodes in the order of their first ranks.
  public var nodesInOrder: [Int] {
    var seen: Set<Int> = []
    return layout.nodes.filter { seen.insert($0).inserted }
  }

  /// Nodes of the cluster that get nothing to do.
  public var idleNodes: [Int] {
    let used = Set(layout.nodes)
    return cluster.nodes.indices.filter { !used.contains($0) }
  }

  /// Why a node gets nothing to do.
  public enum Idleness: Sendable {
    /// Not even one expert of every layer fits beside the buffers and shares of the dense part that were asked for.
    case isTooSmall
    /// A rank in each of its domains would be more than a placement has.
    case hasTooManyDomains
    case isNoFaster
  }

  public func idleness(of node: Int) -> Idleness {
    guard layout.ranks + cluster.nodes[node].domains <= Placement.mostRanks else { return .hasTooManyDomains }
    let rooms = MemoryRooms(costs, cluster, workload)
    let shares = rooms.shareBytes(denseSlices ?? .none, nodesInOrder + [node])
    let experts = rooms.experts(
      node, isCoordinator: false, isRouter: false, shareBytes: shares[shares.count - 1])
    return experts > 0 ? .isNoFaster : .isTooSmall
  }

  public var isAligned: Bool { spread == 1 }

  /// The same placement with another number of sequences.
  public func prediction(sequences: Int) -> Prediction {
    Prediction(
      of: costs, placement: placement, layout: layout, workload: workload.with(sequences: sequences), sample: sample,
      efficiency: efficiency)
  }

  /// The same nodes, roles and numbers of experts with runs of another spread; nil where it does not differ.
  public func alternative(spread other: Int) -> (placement: Placement, load: PlacementLoad, prediction: Prediction)? {
    let counts = (0..<placement.ranks).map { placement.experts(of: $0).count }
    let owners = ExpertShares.owners(counts, order: ExpertShares.order(costs.configuration, spread: other))
    guard owners != placement.owners,
      let undivided = try? Placement(
        owners: owners, ranks: placement.ranks, coordinator: placement.coordinator, router: placement.router),
      let changed = try? undivided.dividing(among: placement.slices)
    else { return nil }
    let prediction = Prediction(
      of: costs, placement: changed, layout: layout, workload: workload, sample: sample, efficiency: efficiency)
    return (changed, PlacementLoad(changed, sample), prediction)
  }

  /// Who divides the dense part of generated tokens, and what comes of it.
  public struct Division: Sendable {
    public let placement: Placement
    public let prediction: Prediction
    /// Whether nodes have room for it beside these experts.
    public let fits: Bool
  }

  public var division: Division { Division(placement: placement, prediction: prediction, fits: true) }

  /// The same placement with other ranks that divide the dense part, or none: those that differ.
  public var otherDivisions: [Division] {
    let model = RunModel(costs, placement, layout, sample, efficiency)
    let rooms = MemoryRooms(costs, cluster, workload)
    return ([placement.undivided] + placement.divisions(layout)).filter { $0 != placement }.map { other in
      Division(
        placement: other, prediction: Prediction(prediction, of: model, dividing: other, layout: layout),
        fits: rooms.hasRoom(for: other, layout))
    }
  }
}
