import Checkpoint
import ExpertParallel

extension Placement {
  /// The placement of a run that has no placement file: contiguous shards that count the coordinator's own work.
  ///
  /// - Parameter coordinatorExperts: routed experts on the coordinator; nil: as many as balance its own work.
  public static func contiguous(
    for configuration: ModelConfiguration, ranks: Int, coordinator: Int, router: Int?, coordinatorExperts: Int?
  ) throws(PlacementError) -> Placement {
    let counts = ParameterInventory(configuration).countByPart
    let own = [ModelPart.attention, .denseFeedForward, .sharedExperts].reduce(0) { $0 + counts[$1, default: 0] }
    let routed = counts[.routedExperts, default: 0] / configuration.routedExperts * configuration.expertsPerToken
    let balanced = balancedCoordinatorExperts(
      experts: configuration.routedExperts, ranks: ranks, ownWork: Double(own),
      sharedWork: Double(counts[.sharedExperts, default: 0]), routedWork: Double(routed))
    return try contiguous(
      experts: configuration.routedExperts, ranks: ranks, coordinator: coordinator, router: router,
      coordinatorExperts: coordinatorExperts ?? balanced)
  }
}
