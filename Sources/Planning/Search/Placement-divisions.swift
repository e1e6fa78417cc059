import ExpertParallel
import Inference

extension Placement {
  /// The same with the dense part on the coordinator alone.
  var undivided: Placement { dividing([]) }

  /// The same where the ranks of the coordinator's node divide the dense part, unless they have too few cores.
  public func dividedOnNode(_ layout: RankLayout) -> Placement {
    let near = ranksNear(layout)
    let cores = layout.cluster.nodes[layout.nodes[coordinator]].cores
    guard near.count > 1, cores >= near.count * layout.threads[coordinator] else { return self }
    return dividing(near)
  }

  /// The same divided as a run on this layout does it.
  ///
  /// - Parameters:
  ///   - asked: nil: as the placement says, else as a run does by itself.
  ///   - sizes: of the model.
  public func divided(_ asked: DenseSlicing?, _ sizes: WeightSizes, _ layout: RankLayout) -> Placement {
    if let asked { return divided(asked, layout) }
    return decidesSlices || !sizes.isWorthDividing ? self : dividedOnNode(layout)
  }

  /// The same divided as asked.
  func divided(_ asked: DenseSlicing, _ layout: RankLayout) -> Placement {
    switch asked {
    case .none: undivided
    case .host: dividing(ranksNear(layout))
    case .all: dividing(Array(0..<ranks))
    }
  }

  /// The same with ranks that divide the dense part of generated tokens: those of the coordinator's node, and all.
  func divisions(_ layout: RankLayout) -> [Placement] {
    [ranksNear(layout), Array(0..<ranks)].filter { $0.count > 1 }.reduce(into: []) { found, ranks in
      let divided = dividing(ranks)
      if divided != found.last { found.append(divided) }
    }
  }

  /// Those of the coordinator's node.
  private func ranksNear(_ layout: RankLayout) -> [Int] { (0..<ranks).filter { layout.shareNode($0, coordinator) } }

  private func dividing(_ ranks: [Int]) -> Placement {
    guard let divided = try? dividing(among: ranks) else { preconditionFailure("its own ranks") }
    return divided
  }
}
