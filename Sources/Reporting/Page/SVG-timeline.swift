extension SVG {
  /// Pieces of work on a common axis of time from 0, a line for each row, as wide as the page.
  ///
  /// - Parameters:
  ///   - rows: a name, and pieces by the number of their part.
  ///   - parts: names.
  ///   - text: of a time.
  static func timeline(
    _ rows: [(name: String, pieces: [(part: Int, start: Double, end: Double)])], parts: [String], title: String,
    text: (Double) -> String
  ) -> String {
    let end = max(rows.flatMap { $0.pieces.map(\.end) }.max() ?? 0, .leastNonzeroMagnitude)
    let shown = parts.indices.filter { part in rows.contains { $0.pieces.contains { $0.part == part } } }
    let colors = Self.colors(parts)
    let top = 22.0
    let bottom = top + Double(rows.count) * rowHeight
    var body = ""
    for tick in 0...4 {
      let x = percent(Double(tick) / 4)
      body += HTML.element("line", [("class", "axis"), ("x1", x), ("x2", x), ("y1", n(top - 4)), ("y2", n(bottom))])
      body += label(
        text(end * Double(tick) / 4), x: x, y: top - 8, anchor: tick == 0 ? "start" : tick == 4 ? "end" : "middle",
        isSoft: true)
    }
    for (index, row) in rows.enumerated() {
      let y = top + Double(index) * rowHeight
      body += label(row.name, x: "0", y: y + 12, anchor: "start")
      for piece in row.pieces {
        let tip = "\(row.name), \(parts[piece.part]): \(text(piece.end - piece.start)) from \(text(piece.start))"
        body += bar(
          from: piece.start / end, length: (piece.end - piece.start) / end, y: y + labelHeight,
          color: colors[piece.part],
          tip: tip)
      }
    }
    return legend(shown.map { (parts[$0], colors[$0]) }) + drawing(height: bottom, title: title, body)
  }
}
