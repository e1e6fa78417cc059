import Kernels

/// The end of a run's last step, rank by rank.
struct StepTimeline {
  private let record: RunRecord
  private let mark: String
  /// More ranks are left out of the drawing; the table has them all.
  private static let mostDrawn = 64

  /// - Returns: nil where the record has none.
  init?(_ record: RunRecord, mark: String) {
    guard record.ranks.contains(where: { $0.timeline?.isEmpty == false }) else { return nil }
    (self.record, self.mark) = (record, mark)
  }

  var figure: PageFigure {
    let title =
      "The end of the last step, rank by rank: its last three layers with experts, and the choice of the token\(mark). "
      + "Clocks of other hosts are set by one message, so they may be off by what that takes."
    let keys = Phase.allCases.map(\.key)
    let rows = record.ranks.map { rank in
      (
        name: "rank \(rank.rank) (\(printable(rank.host, limit: 12)))",
        pieces: (rank.timeline ?? []).compactMap { piece in
          keys.firstIndex(of: piece.phase).map { (part: $0, start: piece.start, end: piece.end) }
        }
      )
    }
    let svg = SVG.timeline(
      Array(rows.prefix(Self.mostDrawn)), parts: Phase.allCases.map(\.title), title: title
    ) { Format.seconds($0) }
    return PageFigure(title: title, svg: svg, table: table)
  }

  /// Sums of each phase, and when it began first.
  private var table: TextTable {
    var table = TextTable([.init("Rank"), .init("Does", .left), .init("Pieces"), .init("First at"), .init("In all")])
    for rank in record.ranks {
      for phase in Phase.allCases {
        let pieces = (rank.timeline ?? []).filter { $0.phase == phase.key }
        guard let first = pieces.map(\.start).min() else { continue }
        table.append([
          "\(rank.rank)", phase.title, "\(pieces.count)", Format.seconds(first),
          Format.seconds(pieces.reduce(0) { $0 + $1.end - $1.start }),
        ])
      }
    }
    return table
  }
}
