import Foundation

/// The table that llama-bench prints, and what it leaves out behind it.
enum MarkdownBench {
  private static let columns: [(title: String, width: Int, isLeft: Bool)] = [
    ("model", 24, true), ("size", 10, false), ("params", 8, false), ("backend", 8, true), ("threads", 7, false),
    ("test", 18, false), ("t/s", 16, false), ("first token ms p50 / p99", 24, false),
    ("per token ms p50 / p99", 22, false), ("MB/token", 8, false), ("GB/s", 6, false), ("of read", 7, false),
    ("GOP/s", 6, false), ("of peak", 7, false),
  ]

  static var opening: String {
    let rule = columns.map {
      String(repeating: "-", count: $0.isLeft ? $0.width : $0.width - 1) + ($0.isLeft ? "" : ":")
    }
    return line(columns.map(\.title)) + "\n| " + rule.joined(separator: " | ") + " |\n"
  }

  static func text(_ row: BenchRow) -> String {
    let bytes = row.weightBytesPerToken + row.cacheBytesPerToken
    return line([
      printable(row.modelType, limit: 60), Format.bytes(row.modelSize), Format.count(row.modelParameters), row.backend,
      threads(row), row.test,
      speed(row),
      pair(row.firstTokenP50, row.firstTokenP99), pair(row.tokenP50, row.tokenP99),
      Format.significant(bytes / 1e6), Format.significant(row.bytesPerSecond / 1e9),
      Format.share(row.readLimit.map { row.bytesPerSecond / $0 }),
      Format.significant(row.operationsPerSecond / 1e9),
      Format.share(row.operationLimit.map { row.operationsPerSecond / $0 }),
    ])
  }

  /// Columns of a terminal that it takes.
  static var width: Int { columns.reduce(1) { $0 + $1.width + 3 } }

  private static func line(_ cells: [String]) -> String {
    let padded = zip(cells, columns).map { cell, column in
      let text = cell.replacingOccurrences(of: "|", with: "\\|")
      let space = String(repeating: " ", count: max(0, column.width - TextTable.width(text)))
      return column.isLeft ? text + space : space + text
    }
    return "| " + padded.joined(separator: " | ") + " |"
  }

  /// Of each rank where all have as many, else of all together.
  static func threads(_ row: BenchRow) -> String {
    guard row.ranks > 1 else { return "\(row.threads)" }
    guard row.threads % row.ranks == 0 else { return "\(row.ranks) ranks, \(row.threads)" }
    return "\(row.ranks) x \(row.threads / row.ranks)"
  }

  static func speed(_ row: BenchRow) -> String {
    "\(fixed(row.averageTokensPerSecond)) ± \(fixed(row.deviationTokensPerSecond))"
  }

  static func pair(_ p50: Double?, _ p99: Double?) -> String {
    guard let p50, let p99 else { return Format.none }
    return "\(Format.significant(p50 * 1e3)) / \(Format.significant(p99 * 1e3))"
  }

  private static func fixed(_ value: Double) -> String { String(format: "%.2f", value) }
}

/// The same in a terminal that the table is too wide for: what all rows have in common stands above them, and the last
/// columns are left out.
struct NarrowBench {
  private typealias Column = (title: String, width: Int, value: @Sendable (BenchRow) -> String)

  private static let columns: [Column] = [
    ("t/s", 15, { MarkdownBench.speed($0) }),
    ("first ms p50/p99", 16, { MarkdownBench.pair($0.firstTokenP50, $0.firstTokenP99) }),
    ("step ms p50/p99", 15, { MarkdownBench.pair($0.tokenP50, $0.tokenP99) }),
    ("MB/token", 8, { Format.significant(($0.weightBytesPerToken + $0.cacheBytesPerToken) / 1e6) }),
    ("GB/s", 5, { Format.significant($0.bytesPerSecond / 1e9) }),
    ("of read", 7, { row in Format.share(row.readLimit.map { row.bytesPerSecond / $0 }) }),
    ("GOP/s", 5, { Format.significant($0.operationsPerSecond / 1e9) }),
    ("of peak", 7, { row in Format.share(row.operationLimit.map { row.operationsPerSecond / $0 }) }),
  ]

  private static let testWidth = 14
  private static let gap = 2
  private let shown: [Column]

  /// - Parameter width: columns of the terminal; nil: it is none.
  /// - Returns: nil where the whole table fits, or is read by a program.
  init?(_ width: Int?) {
    guard let width, width < MarkdownBench.width else { return nil }
    var room = width - Self.testWidth
    var shown: [Column] = []
    for column in Self.columns {
      room -= column.width + Self.gap
      guard room >= 0 || shown.isEmpty else { break }
      shown.append(column)
    }
    self.shown = shown
  }

  /// What all rows share, and the titles.
  func opening(_ row: BenchRow) -> String {
    let left = Self.columns.dropFirst(shown.count).map(\.title)
    let hint = left.isEmpty ? "" : "not shown: \(left.joined(separator: ", ")) (wider terminal, or -o json)\n"
    return "\(printable(row.modelType, limit: 60)), \(Format.bytes(row.modelSize)), "
      + "\(Format.count(row.modelParameters)) parameters, \(row.backend), \(MarkdownBench.threads(row)) threads\n"
      + hint
      + line("test", shown.map(\.title))
  }

  func text(_ row: BenchRow) -> String { line(row.test, shown.map { $0.value(row) }) }

  private func line(_ test: String, _ cells: [String]) -> String {
    let space = String(repeating: " ", count: max(0, Self.testWidth - TextTable.width(test)))
    return zip(cells, shown).reduce(test + space) { line, cell in
      line + String(repeating: " ", count: max(1, Self.gap + cell.1.width - TextTable.width(cell.0))) + cell.0
    } + "\n"
  }
}
