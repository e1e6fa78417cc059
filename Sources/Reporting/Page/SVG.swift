import Foundation

/// Drawings for a page, in the page's colors. Each has a title and a description for people who do not see it.
enum SVG {
  /// Bars of parts, one below the other, on a common scale, as wide as the page: each below its name and sum.
  ///
  /// - Parameters:
  ///   - rows: a name, and a value of each part.
  ///   - parts: names.
  ///   - text: of a value.
  static func stackedBars(
    _ rows: [(name: String, values: [Double])], parts: [String], title: String, text: (Double) -> String
  ) -> String {
    let most = max(rows.map { $0.values.reduce(0, +) }.max() ?? 0, .leastNonzeroMagnitude)
    let shown = parts.indices.filter { part in rows.contains { $0.values[part] > 0 } }
    let colors = Self.colors(parts)
    var body = ""
    for (index, row) in rows.enumerated() {
      let y = Double(index) * rowHeight
      body += label("\(row.name): \(text(row.values.reduce(0, +)))", x: "0", y: y + 12, anchor: "start")
      var x = 0.0
      for part in shown where row.values[part] > 0 {
        let length = row.values[part] / most
        body += bar(
          from: x, length: length, y: y + labelHeight, color: colors[part],
          tip: "\(row.name), \(parts[part]): \(text(row.values[part]))")
        x += length
      }
    }
    return legend(shown.map { (parts[$0], colors[$0]) })
      + drawing(height: Double(rows.count) * rowHeight, title: title, body)
  }

  /// Of a name above its bar, of a bar, and of both with a gap.
  static let (labelHeight, barHeight, rowHeight) = (17.0, 18.0, 43.0)

  /// - Parameters:
  ///   - from: in parts of the page's width, as is `length`.
  ///   - y: of its upper edge.
  static func bar(from x: Double, length: Double, y: Double, color: String, tip: String) -> String {
    HTML.element(
      "rect",
      [
        ("x", percent(x)), ("y", n(y)), ("width", percent(max(length, 0.0007))), ("height", n(barHeight)),
        ("fill", color),
      ], HTML.element("title", [], HTML.escaped(tip)))
  }

  /// Shaded cells: the larger the value, the more ink.
  ///
  /// - Parameters:
  ///   - values: by row; nil: an empty cell.
  ///   - cell: width and height of one.
  ///   - text: of a value, for whoever points at it.
  static func cells(
    _ values: [[Double?]], rows: [String], columns: [String], cell: (width: Double, height: Double), title: String,
    text: (Double) -> String
  ) -> String {
    let (left, top) = (90.0, 20.0)
    let most = max(values.flatMap { $0.compactMap(\.self) }.max() ?? 0, .leastNonzeroMagnitude)
    let hasTips = values.reduce(0) { $0 + $1.count } <= mostTips
    var body = ""
    for (row, name) in rows.enumerated() where !name.isEmpty {
      body += label(name, x: left - 6, y: top + (Double(row) + 0.5) * cell.height + 4, anchor: "end")
    }
    for (column, name) in columns.enumerated() where !name.isEmpty {
      body += label(name, x: left + (Double(column) + 0.5) * cell.width, y: top - 6, anchor: "middle", isSoft: true)
    }
    for (row, line) in values.enumerated() {
      for (column, value) in line.enumerated() {
        guard let value else { continue }
        body += HTML.element(
          "rect",
          [
            ("class", "cell"), ("x", n(left + Double(column) * cell.width)), ("y", n(top + Double(row) * cell.height)),
            ("width", n(cell.width)), ("height", n(cell.height)), ("fill-opacity", n(value / most)),
          ], hasTips ? HTML.element("title", [], HTML.escaped(text(value))) : "")
      }
    }
    let (columnCount, rowCount) = (Double(values.first?.count ?? 0), Double(values.count))
    body += HTML.element(
      "rect",
      [
        ("class", "frame"), ("x", n(left)), ("y", n(top)), ("width", n(columnCount * cell.width)),
        ("height", n(rowCount * cell.height)),
      ])
    return drawing(
      width: left + columnCount * cell.width + 10, height: top + rowCount * cell.height + 6, title: title, body)
  }

  /// More cells than that have no tips: they would make most of the page.
  private static let mostTips = 2000

  /// Squares and names, in as many lines as the page's width makes of them.
  static func legend(_ parts: [(name: String, color: String)]) -> String {
    let keys = parts.map { part in
      let square = HTML.element("rect", [("width", "12"), ("height", "12"), ("fill", part.color)])
      return HTML.element(
        "span", [],
        HTML.element("svg", [("width", "12"), ("height", "12"), ("aria-hidden", "true")], square)
          + HTML.escaped(part.name))
    }
    return HTML.element("div", [("class", "keys")], keys.joined())
  }

  /// As wide as the page.
  static func drawing(height: Double, title: String, _ body: String) -> String {
    HTML.element(
      "svg",
      [
        ("xmlns", "http://www.w3.org/2000/svg"), ("role", "img"), ("aria-label", title), ("width", "100%"),
        ("height", n(height)),
      ], body)
  }

  static func drawing(width: Double, height: Double, title: String, _ body: String) -> String {
    HTML.element(
      "svg",
      [
        ("xmlns", "http://www.w3.org/2000/svg"), ("role", "img"), ("aria-label", title), ("width", n(width)),
        ("height", n(height)), ("viewBox", "0 0 \(n(width)) \(n(height))"),
      ], body)
  }

  static func label(_ text: String, x: Double, y: Double, anchor: String, isSoft: Bool = false) -> String {
    label(text, x: n(x), y: y, anchor: anchor, isSoft: isSoft)
  }

  static func label(_ text: String, x: String, y: Double, anchor: String, isSoft: Bool = false) -> String {
    HTML.element(
      "text", [("x", x), ("y", n(y)), ("text-anchor", anchor)] + (isSoft ? [("class", "soft")] : []),
      HTML.escaped(text))
  }

  /// One for each part; what is nobody's work is grey.
  static func colors(_ parts: [String]) -> [String] {
    parts.enumerated().map { index, part in
      part.hasPrefix("wait") ? PageStyle.idle : PageStyle.series[index % PageStyle.series.count]
    }
  }

  /// "12.5%"
  static func percent(_ share: Double) -> String { n(share * 100) + "%" }

  static func n(_ value: Double) -> String {
    let text = String(format: "%.2f", value)
    guard text.contains(".") else { return text }
    return String(text.reversed().drop { $0 == "0" }.drop { $0 == "." }.reversed())
  }
}
