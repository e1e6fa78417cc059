import ExpertParallel

extension RunOptions {
  /// Roles and placement as a command line has them, each option behind a space.
  var rolesAsArguments: String {
    var text = placement.map { " --placement \($0.path(percentEncoded: false))" } ?? ""
    for (name, value) in [
      ("coordinator-rank", coordinatorRank), ("router-rank", routerRank), ("coordinator-experts", coordinatorExperts),
    ] {
      if let value { text += " --\(name) \(value)" }
    }
    if let denseSlices { text += " --dense-slices \(denseSlices.rawValue)" }
    return text
  }

  /// The rank that coordinates a run of `ranks` ranks: as asked for, as the placement file says, or 0.
  ///
  /// - Throws: where the two contradict each other, or there is no such rank.
  public func coordinator(ranks: Int) throws -> Int {
    let filed = try placement.map { try Placement.coordinator(inFile: $0) }
    if let filed, let asked = coordinatorRank, filed != asked {
      throw RequestError("coordinator rank: expected \(filed), as the placement file says, found \(asked)")
    }
    if let asked = routerRank, asked < 0 || asked >= ranks {
      throw RequestError(
        "router rank: expected 0 to \(ranks - 1), found \(asked). Hint: start more ranks with mpirun -n")
    }
    if placement != nil, routerRank != nil {
      throw RequestError("router rank: expected only the placement file to tell it, found --router-rank too")
    }
    let rank = filed ?? coordinatorRank ?? 0
    guard rank >= 0 && rank < ranks else {
      throw RequestError(
        "coordinator rank: expected 0 to \(ranks - 1), found \(rank). Hint: start more ranks with mpirun -n")
    }
    return rank
  }
}
