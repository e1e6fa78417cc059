import ExpertParallel

/// Which ranks compute rows of the dense part for the coordinator, each from a copy of its share of these weights.
public enum DenseSlicing: String, Sendable, CaseIterable, Codable {
  /// Those of the coordinator's host.
  case host
  /// All of them.
  case all
  /// The coordinator alone computes it.
  case none
}

/// The coordinator's word on it: only it is asked, so ranks cannot differ.
struct SlicesDecision: Codable {
  let ranks: [Int]
  /// Whether the person asked for these: else a placement file may say otherwise.
  let isAsked: Bool

  /// The placement with these ranks, or with those that it names itself.
  ///
  /// - Parameter sizes: of the model.
  func applied(to placement: Placement, _ sizes: WeightSizes) throws -> Placement {
    if isAsked { return try placement.dividing(among: ranks) }
    if placement.decidesSlices { return placement }
    return try placement.dividing(among: sizes.isWorthDividing ? ranks : [])
  }
}

extension Fleet {
  /// Every rank comes here; the coordinator decides. Nobody asked: the ranks of its host, where each has cores of its own
  /// and the model is no small one.
  ///
  /// - Parameter threads: compute threads of a rank.
  func decideSlices(_ asked: DenseSlicing?, threads: Int) throws -> SlicesDecision {
    guard rankCount > 1 else { return SlicesDecision(ranks: [], isAsked: asked != nil) }
    return try share {
      switch asked {
      case .none?: SlicesDecision(ranks: [], isAsked: true)
      case .all: SlicesDecision(ranks: Array(0..<rankCount), isAsked: true)
      case .host: SlicesDecision(ranks: ranksOnThisHost(), isAsked: true)
      case nil: SlicesDecision(ranks: cores.fewestCores >= threads ? ranksOnThisHost() : [], isAsked: false)
      }
    }
  }
}
