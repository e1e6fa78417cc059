import ExpertParallel
import Inference

extension Placement {
  /// The same with the dense part on the coordinator alone.
  var undivided: Placement { dividing([]) }

  /// The same divided as a run on this layout does it.
  ///
  /// - Parameters:
  ///   - asked: nil: as the placement says, else as a run does by itself.
  ///   - sizes: of the model.
  public func divided(_ asked: DenseSlicing?, _ sizes: WeightSizes, _ layout: RankLayout) -> Placement {
    let near = ranksNear(layout)
    let cores = layout.cluster.nodes[layout.nodes[coordinator]].cores
    let hasCores = cores >= near.count * layout.threads[coordinator]
    guard let divided = try? divided(asked, sizes, near: near, hasCores: hasCores) else {
      preconditionFailure("its own ranks")
    }
    return divided
  }

  /// The same divided as asked.
  func divided(_ asked: DenseSlicing, _ layout: RankLayout) -> Placement {
    dividing(asked.ranks(of: ranks, near: ranksNear(layout)))
  }

  /// The same with ranks that divide the dense part of generated tokens: those of the coordinator's node, and all.
  func divisions(_ layout: RankLayout) -> [Placement] {
    [DenseSlicing.host, .all].reduce(into: []) { found, slicing in
      let divided = divided(slicing, layout)
      if !divided.slices.isEmpty, divided != found.last { found.append(divided) }
    }
  }

  /// Those of the coordinator's node.
  private func ranksNear(_ layout: RankLayout) -> [Int] { (0..<ranks).filter { layout.shareNode($0, coordinator) } }

  private func dividing(_ ranks: [Int]) -> Placement {
    guard let divided = try? dividing(among: ranks) else { preconditionFailure("its own ranks") }
    return divided
  }
}
