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

  /// How many experts the coordinator takes: what balances the ranks' work for a token of a prompt, where all of its own
  /// work overlaps with the others' experts, and a quarter of the way from there to what balances it for a generated
  /// token, where only shared experts do. None where prompts leave it no room.
  ///
  /// - Parameters:
  ///   - ownWork: multiply-adds of the coordinator for a token: attention, dense layers, shared experts.
  ///   - sharedWork: of these, the shared experts'.
  ///   - routedWork: multiply-adds of a token's routed experts.
  public static func balancedCoordinatorExperts(
    experts: Int, ranks: Int, ownWork: Double, sharedWork: Double, routedWork: Double
  ) -> Int {
    guard ranks > 1 else { return experts }
    func balance(_ overlapping: Double) -> Double {
      let fair = (overlapping + routedWork) / Double(ranks)
      return max(0, min(1 / Double(ranks), (fair - overlapping) / max(routedWork, 1)))
    }
    let prompt = balance(ownWork)
    return prompt == 0 ? 0 : Int((prompt + (balance(sharedWork) - prompt) / 4) * Double(experts))
  }
}
