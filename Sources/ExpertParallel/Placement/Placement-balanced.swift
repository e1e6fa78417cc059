extension Placement {
  /// Contiguous shards in the order of ranks, with `coordinatorExperts` on the coordinator and equal shares of the rest
  /// on the others: the coordinator also computes everything that is not a routed expert.
  ///
  /// - Throws: where the coordinator is given more experts than there are, or nobody is there to take the rest.
  public static func contiguous(
    experts: Int, ranks: Int, coordinator: Int, router: Int? = nil, coordinatorExperts: Int
  ) throws(PlacementError) -> Placement {
    let even = try contiguous(experts: experts, ranks: ranks, coordinator: coordinator, router: router)
    let least = ranks == 1 ? experts : 0
    guard (least...experts).contains(coordinatorExperts) else {
      throw PlacementError(
        field: "coordinator experts", expected: "\(least) to \(experts)", found: "\(coordinatorExperts)",
        hint: "a layer has \(experts) routed experts")
    }
    var left = experts - coordinatorExperts
    var others = ranks - 1
    var owners: [Int] = []
    for rank in 0..<ranks {
      var count = coordinatorExperts
      if rank != coordinator {
        count = (left + others - 1) / others
        left -= count
        others -= 1
      }
      owners += repeatElement(rank, count: count)
    }
    return try Placement(owners: owners, ranks: ranks, coordinator: coordinator, router: even.router)
  }

  /// How many experts the coordinator takes so that no rank has more to compute for a token of a prompt than another,
  /// as far as that is possible.
  ///
  /// - Parameters:
  ///   - ownWork: multiply-adds of the coordinator for a token: attention, dense layers, shared experts.
  ///   - routedWork: multiply-adds of a token's routed experts.
  public static func balancedCoordinatorExperts(
    experts: Int, ranks: Int, ownWork: Double, routedWork: Double
  ) -> Int {
    guard ranks > 1 else { return experts }
    let fair = (ownWork + routedWork) / Double(ranks)
    let share = max(0, min(1 / Double(ranks), (fair - ownWork) / max(routedWork, 1)))
    return Int(share * Double(experts))
  }
}
