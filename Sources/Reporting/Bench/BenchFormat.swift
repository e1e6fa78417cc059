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
  ///
  /// - Parameter width: columns of the terminal; nil: it is none.
  public func opening(width: Int? = nil) -> String {
    switch self {
    case .md: NarrowBench(width) == nil ? MarkdownBench.opening : ""
    case .json: "[\n"
    case .jsonl: ""
    case .csv: BenchCSV.header + "\n"
    }
  }

  /// - Parameter width: as of ``opening(width:)``.
  public func text(_ row: BenchRow, isFirst: Bool, width: Int? = nil) throws -> String {
    switch self {
    case .md:
      NarrowBench(width).map { (isFirst ? $0.opening(row) : "") + $0.text(row) } ?? MarkdownBench.text(row) + "\n"
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
