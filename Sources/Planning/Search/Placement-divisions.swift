import ExpertParallel

extension Placement {
  /// The same with the dense part on the coordinator alone.
  var undivided: Placement {
    guard let alone = try? dividing(among: []) else { preconditionFailure("no rank is none too many") }
    return alone
  }

  /// The same where the ranks of the coordinator's node divide the dense part, unless they have too few cores.
  public func dividedOnNode(_ layout: RankLayout) -> Placement {
    let near = (0..<ranks).filter { layout.shareNode($0, coordinator) }
    let cores = layout.cluster.nodes[layout.nodes[coordinator]].cores
    guard near.count > 1, cores >= near.count * layout.threads[coordinator] else { return self }
    return (try? dividing(among: near)) ?? self
  }

  /// The same with ranks that divide the dense part of generated tokens: those of the coordinator's node, and all.
  func divisions(_ layout: RankLayout) -> [Placement] {
    let near = (0..<ranks).filter { layout.shareNode($0, coordinator) }
    return [near, Array(0..<ranks)].filter { $0.count > 1 }.reduce(into: []) { found, ranks in
      guard let divided = try? dividing(among: ranks), divided != found.last else { return }
      found.append(divided)
    }
  }
}
