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
  public let prediction: Prediction
  /// Nodes that take part, in the order of the cluster.
  public let fits: [NodeFit]
  public let load: PlacementLoad
  let sample: RoutingSample
  let efficiency: Efficiency

  /// Nodes in the order of their first ranks.
  public var nodesInOrder: [Int] {
    layout.nodes.enumerated().filter { layout.nodes.firstIndex(of: $0.element) == $0.offset }.map(\.element)
  }

  /// Nodes of the cluster that get nothing to do.
  public var idleNodes: [Int] { cluster.nodes.indices.filter { !layout.nodes.contains($0) } }

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
      let changed = try? Placement(
        owners: owners, ranks: placement.ranks, coordinator: placement.coordinator, router: placement.router)
    else { return nil }
    let prediction = Prediction(
      of: costs, placement: changed, layout: layout, workload: workload, sample: sample, efficiency: efficiency)
    return (changed, PlacementLoad(changed, sample), prediction)
  }
}
