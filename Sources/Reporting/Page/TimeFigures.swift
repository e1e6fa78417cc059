import Kernels

/// Each rank's seconds in steps, by what it did.
struct RankTimes {
  private let rows: [(name: String, values: [Double])]
  private let mark: String
  private static let parts = ["experts", "gate", "sending", "adding up", "other work", "waiting"]
  /// More ranks are left out of the drawing; the table has them all.
  private static let mostDrawn = 64

  init(_ record: RunRecord, mark: String) {
    let steps = record.seconds.prefill + record.seconds.decode
    self.mark = mark
    rows = record.ranks.map { rank in
      let named = [rank.expertSeconds, rank.gateSeconds, rank.dispatchSeconds, rank.combineSeconds]
      let other = max(0, rank.busySeconds - named.reduce(0, +))
      let waiting = max(0, steps - max(rank.busySeconds, named.reduce(0, +)))
      return ("rank \(rank.rank) (\(printable(rank.host, limit: 12)))", named + [other, waiting])
    }
  }

  var figure: PageFigure {
    let title = "Seconds of each rank in steps\(mark)"
    var table = TextTable([.init("Rank", .left)] + Self.parts.map { .init($0) })
    for row in rows { table.append([row.name] + row.values.map { Format.seconds($0) }) }
    let svg = SVG.stackedBars(Array(rows.prefix(Self.mostDrawn)), parts: Self.parts, title: title) {
      Format.seconds($0)
    }
    return PageFigure(title: title, svg: svg, table: table)
  }
}

/// The coordinator's seconds by phase, for a token in the mean.
struct PhaseShares {
  private let record: RunRecord
  private let mark: String

  init(_ record: RunRecord, mark: String) { (self.record, self.mark) = (record, mark) }

  var figure: PageFigure {
    let tokens = Double(max(record.tokens.computed, 1))
    var seconds = Phase.allCases.map { record.phases[$0.key] ?? 0 }
    let counted = seconds.reduce(0, +)
    // Records of earlier versions count some waiting behind the last step.
    let whole = max(record.seconds.prefill + record.seconds.decode, counted)
    seconds.append(whole - counted)
    let parts = Phase.allCases.map(\.title) + ["other"]
    let title = "A token's way through the coordinator, in the mean of \(Format.exact(record.tokens.computed))\(mark)"
    var table = TextTable([.init("Phase", .left), .init("A token"), .init("Share")])
    for (part, value) in zip(parts, seconds) {
      table.append([part, Format.seconds(value / tokens), Format.share(whole > 0 ? value / whole : nil)])
    }
    let svg = SVG.stackedBars([("a token", seconds.map { $0 / tokens })], parts: parts, title: title) {
      Format.seconds($0)
    }
    return PageFigure(title: title, svg: svg, table: table)
  }
}
