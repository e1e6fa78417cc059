import ExpertParallel

extension Placement {
  /// How many ranks have no part in the run; nil where all have one.
  var idleNote: String? {
    let idle = (0..<ranks).count { roles(of: $0).isEmpty }
    guard idle > 0 else { return nil }
    let verb = idle == 1 ? "has" : "have"
    return "\(idle) of \(ranks) ranks \(verb) no experts and nothing to do: a layer has \(experts) experts"
  }
}
