import ExpertParallel

/// Which ranks compute rows of the dense part for the coordinator, each from a copy of its share of these weights.
public enum DenseSlicing: String, Sendable, CaseIterable, Codable {
  /// Those of the coordinator's host.
  case host
  /// All of them.
  case all
  /// The coordinator alone computes it.
  case none

  /// The ranks that compute rows, the coordinator among them; empty where it computes all of them.
  ///
  /// - Parameters:
  ///   - count: of all ranks.
  ///   - near: those of the coordinator's host, itself included.
  public func ranks(of count: Int, near: [Int]) -> [Int] {
    switch self {
    case .none: []
    case .host: near
    case .all: Array(0..<count)
    }
  }
}

extension Placement {
  /// The same with the dense part divided as a run does it.
  ///
  /// - Parameters:
  ///   - asked: nil: as the placement says, else as a run does by itself.
  ///   - sizes: of the model.
  ///   - near: ranks of the coordinator's host, itself included.
  ///   - hasCores: whether each of them has cores of its own.
  /// - Throws: where one of them does not exist.
  public func divided(
    _ asked: DenseSlicing?, _ sizes: WeightSizes, near: [Int], hasCores: Bool
  ) throws(PlacementError) -> Placement {
    if let asked { return try dividing(among: asked.ranks(of: ranks, near: near)) }
    guard !decidesSlices, sizes.isWorthDividing, hasCores, near.count > 1 else { return self }
    return try dividing(among: near)
  }
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
      let near = ranksOnThisHost()
      if let asked { return SlicesDecision(ranks: asked.ranks(of: rankCount, near: near), isAsked: true) }
      return SlicesDecision(ranks: cores.fewestCores >= threads ? near : [], isAsked: false)
    }
  }
}
