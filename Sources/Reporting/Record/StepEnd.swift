import ExpertParallel
import Kernels

/// What ranks did at the end of a run's last step, drawn from what each remembers: three layers with experts, and the
/// choice of the token.
struct StepEnd {
  /// `[ranks]`: pieces in order, seconds from the beginning.
  let pieces: [[RunRecord.Rank.Piece]]

  private static let layers = 3

  /// - Returns: nil where the coordinator remembers no layers.
  init?(_ ranks: [RankStatistics]) {
    guard let own = ranks.first(where: { $0.roles.contains("coordinator") })?.timeline,
      let begin = Self.beginning(own), let end = own.last?.end
    else { return nil }
    pieces = ranks.map { rank in
      rank.timeline.filter { $0.end > begin && $0.start < end }.map {
        RunRecord.Rank.Piece(
          phase: $0.phase.key, start: max($0.start, begin) - begin, end: min(max($0.end, $0.start), end) - begin)
      }
    }
  }

  /// Where the layer before them was done.
  private static func beginning(_ own: [Timeline.Piece]) -> Double? {
    let dispatches = own.indices.filter { own[$0].phase == .dispatch }
    guard let first = dispatches.suffix(layers).first else { return nil }
    let before = own[..<first].lastIndex { $0.phase == .combine || $0.phase == .sampling }
    return before.map { own[$0].end } ?? own.first?.start
  }
}
