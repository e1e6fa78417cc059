import Foundation
import StrictJSON

/// How the tests of a bench are written: one after the other, as they are done.
public enum BenchFormat: String, CaseIterable, Sendable {
  /// A table of Markdown, in columns for a terminal too.
  case md
  case json
  /// One object a line.
  case jsonl
  case csv

  /// What comes before the first row.
  public var opening: String {
    switch self {
    case .md: MarkdownBench.opening
    case .json: "[\n"
    case .jsonl: ""
    case .csv: BenchCSV.header + "\n"
    }
  }

  public func text(_ row: BenchRow, isFirst: Bool) throws -> String {
    switch self {
    case .md: MarkdownBench.text(row) + "\n"
    case .json: (isFirst ? "" : ",\n") + "  \(try row.json())"
    case .jsonl: try row.json() + "\n"
    case .csv: try BenchCSV.line(row) + "\n"
    }
  }

  /// What comes after the last row.
  ///
  /// - Parameter isEmpty: whether there was no row.
  public func closing(isEmpty: Bool) -> String {
    self == .json ? (isEmpty ? "]\n" : "\n]\n") : ""
  }
}

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
      "\(fixed(row.averageTokensPerSecond)) ± \(fixed(row.deviationTokensPerSecond))",
      pair(row.firstTokenP50, row.firstTokenP99), pair(row.tokenP50, row.tokenP99),
      Format.significant(bytes / 1e6), Format.significant(row.bytesPerSecond / 1e9),
      Format.share(row.readLimit.map { row.bytesPerSecond / $0 }),
      Format.significant(row.operationsPerSecond / 1e9),
      Format.share(row.operationLimit.map { row.operationsPerSecond / $0 }),
    ])
  }

  private static func line(_ cells: [String]) -> String {
    let padded = zip(cells, columns).map { cell, column in
      let text = cell.replacingOccurrences(of: "|", with: "\\|")
      let space = String(repeating: " ", count: max(0, column.width - TextTable.width(text)))
      return column.isLeft ? text + space : space + text
    }
    return "| " + padded.joined(separator: " | ") + " |"
  }

  /// Of each rank where all have as many, else of all together.
  private static func threads(_ row: BenchRow) -> String {
    guard row.ranks > 1 else { return "\(row.threads)" }
    guard row.threads % row.ranks == 0 else { return "\(row.ranks) ranks, \(row.threads)" }
    return "\(row.ranks) x \(row.threads / row.ranks)"
  }

  private static func pair(_ p50: Double?, _ p99: Double?) -> String {
    guard let p50, let p99 else { return Format.none }
    return "\(Format.significant(p50 * 1e3)) / \(Format.significant(p99 * 1e3))"
  }

  private static func fixed(_ value: Double) -> String { String(format: "%.2f", value) }
}

/// Every key of a row but the lists, in the order of ``BenchRow/CodingKeys``, each value in quotes.
enum BenchCSV {
  private static let keys = BenchRow.CodingKeys.allCases.map(\.rawValue).filter { !$0.hasPrefix("samples_") }

  static var header: String { keys.joined(separator: ",") }

  static func line(_ row: BenchRow) throws -> String {
    let values = try StrictJSON.parse(try row.json())
    return keys.map { key in
      switch values[key] {
      case .number(let number)?: quoted(number.text)
      case .string(let text)?: quoted(text.text)
      default: quoted("")
      }
    }.joined(separator: ",")
  }

  private static func quoted(_ text: String) -> String {
    "\"" + text.replacingOccurrences(of: "\"", with: "\"\"") + "\""
  }
}
