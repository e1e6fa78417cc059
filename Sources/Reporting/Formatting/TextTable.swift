/// Rows of text in aligned columns, for a terminal or as Markdown.
public struct TextTable: Sendable, Equatable {
  public enum Alignment: Sendable { case left, right }

  public struct Column: Sendable, Equatable {
    public var title: String
    public var alignment: Alignment

    public init(_ title: String, _ alignment: Alignment = .right) {
      self.title = title
      self.alignment = alignment
    }
  }

  public var columns: [Column]
  /// As many cells in each row as there are columns.
  public private(set) var rows: [[String]] = []

  public init(_ columns: [Column]) { self.columns = columns }

  /// Cells are kept as a terminal may show them.
  public mutating func append(_ cells: [String]) {
    precondition(cells.count == columns.count, "\(cells.count) cells for \(columns.count) columns")
    rows.append(cells.map { printable($0, limit: .max) })
  }

  /// Lines with two spaces between columns and nothing behind the last.
  ///
  /// - Parameter gap: spaces between columns.
  public func lines(gap: Int = 2) -> [String] {
    let table = [columns.map(\.title)] + rows
    let widths = columns.indices.map { column in table.map { Self.width($0[column]) }.max() ?? 0 }
    return table.map { row in
      let cells = row.indices.map { Self.pad(row[$0], to: widths[$0], columns[$0].alignment) }
      return Self.trimmed(cells.joined(separator: String(repeating: " ", count: gap)))
    }
  }

  /// A table as GitHub renders it.
  public var markdown: [String] {
    func line(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |" }
    let rule = columns.map { $0.alignment == .left ? "---" : "---:" }
    return [line(columns.map { Self.escaped($0.title) }), line(rule)]
      + rows.map { line($0.map(Self.escaped)) }
  }

  /// Columns of a terminal that `text` takes, as far as our own texts go.
  static func width(_ text: String) -> Int { text.unicodeScalars.count }

  private static func pad(_ text: String, to width: Int, _ alignment: Alignment) -> String {
    let space = String(repeating: " ", count: max(0, width - Self.width(text)))
    return alignment == .left ? text + space : space + text
  }

  private static func trimmed(_ line: String) -> String {
    var line = line[...]
    while line.last == " " { line.removeLast() }
    return String(line)
  }

  private static func escaped(_ cell: String) -> String {
    Markdown.escaped(cell).split(separator: "|", omittingEmptySubsequences: false).joined(separator: "\\|")
  }
}
