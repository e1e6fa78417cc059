import ArgumentParser
import Checkpoint
import ExpertParallel
import Foundation
import Inference

/// Where the experts live, who coordinates, who routes.
struct RoleOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Placement of experts and roles, as inspect --write-placement writes it. Default: contiguous shards.",
      valueName: "file"))
  var placement: String?

  @Option(help: "Rank that holds everything but the routed experts, from 0. Default: 0.")
  var coordinatorRank: Int?

  @Option(
    help: """
      Routed experts of every layer on the coordinator, from 0 to all; the other ranks share the rest. Default: as \
      many as balance its own work, between prompts and generated tokens, often none.
      """)
  var coordinatorExperts: Int?

  @Option(
    help: "Rank that holds the gates and sends tokens to experts, from 0. Default: 1, or 0 where there is one rank.")
  var routerRank: Int?

  @Option(
    help: ArgumentHelp(
      """
      Ranks that compute output rows of attention, dense layers and head too, each from a copy of its share of these \
      weights, for at most 32 tokens at a time; on the coordinator's host alone also for more, while no experts run: \
      those on the coordinator's host, all, or none. Slower where products are small or the network is. Default: as the \
      placement file says, else host where each rank has cores of its own and the matrices half a megabyte in the mean.
      """, valueName: "host|all|none"))
  var denseSlices: DenseSlicing?

  func validate() throws {
    try check("--coordinator-rank", coordinatorRank, 0...Placement.mostRanks - 1)
    try check("--router-rank", routerRank, 0...Placement.mostRanks - 1)
    try check("--coordinator-experts", coordinatorExperts, 0...Placement.mostExperts)
    if placement != nil, coordinatorRank != nil || routerRank != nil || coordinatorExperts != nil {
      throw ValidationError(
        """
        --placement already says where roles and experts are: leave out --coordinator-rank, --router-rank and \
        --coordinator-experts.
        """)
    }
  }

  /// The options as they were given.
  var words: [String] {
    let numbers = [
      ("--coordinator-rank", coordinatorRank), ("--coordinator-experts", coordinatorExperts),
      ("--router-rank", routerRank),
    ]
    return (placement.map { ["--placement", $0] } ?? [])
      + numbers.flatMap { option, number in number.map { [option, "\($0)"] } ?? [] }
      + (denseSlices.map { ["--dense-slices", $0.rawValue] } ?? [])
  }

  /// For how many ranks the given file is; nil without one.
  ///
  /// - Throws: `PlacementError`.
  func ranksOfFile() throws -> Int? { try placement.map { try Placement.ranks(of: URL(filePath: $0)) } }

  /// The placement for a run of a model on `ranks` ranks.
  ///
  /// - Throws: `PlacementError`, or ``UsageError`` naming the option.
  func placement(ranks: Int, _ configuration: ModelConfiguration) throws -> Placement {
    let placement = try undivided(ranks: ranks, configuration)
    // Which ranks share a host shows when they run; that host has the dense bundle in any case.
    guard let denseSlices, denseSlices != .host else { return placement }
    return try placement.dividing(among: denseSlices.ranks(of: ranks, near: []))
  }

  private func undivided(ranks: Int, _ configuration: ModelConfiguration) throws -> Placement {
    if let placement {
      return try Placement.load(URL(filePath: placement), ranks: ranks, experts: configuration.routedExperts)
    }
    for (option, rank) in [("--coordinator-rank", coordinatorRank), ("--router-rank", routerRank)] {
      guard let rank, rank >= ranks else { continue }
      throw UsageError(
        "\(option): expected a rank from 0 to \(ranks - 1), found \(rank)",
        hint: "the number of ranks is what mpirun -n was given")
    }
    return try Placement.contiguous(
      for: configuration, ranks: ranks, coordinator: coordinatorRank ?? 0, router: routerRank,
      coordinatorExperts: coordinatorExperts)
  }
}

/// How ranks work together.
struct PlacementOptions: ParsableArguments {
  @OptionGroup var roles: RoleOptions

  @Option(
    help: ArgumentHelp(
      "How long a rank may be silent before the job ends: above 0, at most 86400.", valueName: "seconds"))
  var timeout = Fleet.defaultTimeout / .seconds(1)

  func validate() throws {
    try check("--timeout", timeout, "seconds above 0, at most 86400") { $0 > 0 && $0 <= 86_400 }
  }

  var silence: Duration { .milliseconds(max(1, Int64((timeout * 1000).rounded()))) }
}
