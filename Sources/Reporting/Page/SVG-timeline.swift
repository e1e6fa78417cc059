extension SVG {
  /// Pieces of work on a common axis of time from 0, a line for each row.
  ///
  /// - Parameters:
  ///   - rows: a name, and pieces by the number of their part.
  ///   - parts: names.
  ///   - text: of a time.
  static func timeline(
    _ rows: [(name: String, pieces: [(part: Int, start: Double, end: Double)])], parts: [String], title: String,
    text: (Double) -> String
  ) -> String {
    let (labels, width, height, gap) = (140.0, 620.0, 22.0, 8.0)
    let end = max(rows.flatMap { $0.pieces.map(\.end) }.max() ?? 0, .leastNonzeroMagnitude)
    let shown = parts.indices.filter { part in rows.contains { $0.pieces.contains { $0.part == part } } }
    let colors = Self.colors(parts)
    let (legend, legendHeight) = self.legend(shown.map { (parts[$0], colors[$0]) }, width: labels + width)
    var body = legend
    let top = legendHeight + 16
    let bottom = top + Double(rows.count) * (height + gap)
    for tick in 0...4 {
      let x = labels + Double(tick) / 4 * width
      body += HTML.element(
        "line", [("class", "axis"), ("x1", n(x)), ("x2", n(x)), ("y1", n(top - 4)), ("y2", n(bottom - gap))])
      body += label(
        text(end * Double(tick) / 4), x: x, y: top - 8, anchor: tick == 0 ? "start" : tick == 4 ? "end" : "middle",
        isSoft: true)
    }
    for (index, row) in rows.enumerated() {
      let y = top + Double(index) * (height + gap)
      body += label(row.name, x: labels - 8, y: y + height * 0.7, anchor: "end")
      for piece in row.pieces {
        let tip = "\(row.name), \(parts[piece.part]): \(text(piece.end - piece.start)) from \(text(piece.start))"
        body += HTML.element(
          "rect",
          [
            ("x", n(labels + piece.start / end * width)), ("y", n(y)),
            ("width", n(max((piece.end - piece.start) / end * width, 0.5))), ("height", n(height)),
            ("fill", colors[piece.part]),
          ], HTML.element("title", [], HTML.escaped(tip)))
      }
    }
    return drawing(width: labels + width + 10, height: bottom, title: title, body)
  }
}
