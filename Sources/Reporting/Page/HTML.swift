/// Text for a page of HTML or a drawing in it.
enum HTML {
  /// Any text as a browser shows it, wherever it stands: no text of a record becomes markup.
  static func escaped(_ text: String) -> String {
    var out = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": out += "&amp;"
      case "<": out += "&lt;"
      case ">": out += "&gt;"
      case "\"": out += "&quot;"
      case "'": out += "&#39;"
      case "\n", "\t": out.unicodeScalars.append(scalar)
      case _ where scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format:
        out += "\u{FFFD}"
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out
  }

  /// `<name a="b">content</name>`; the content is markup already.
  static func element(_ name: String, _ attributes: [(String, String)] = [], _ content: String = "") -> String {
    "<\(name)\(attributes.map { " \($0.0)=\"\(escaped($0.1))\"" }.joined())>\(content)</\(name)>"
  }

  /// A table with its caption; the first column names the row.
  static func table(_ table: TextTable, caption: String) -> String {
    func cell(_ text: String, _ column: Int, isHead: Bool) -> String {
      let side = table.columns[column].alignment == .right ? [("class", "n")] : []
      if isHead { return element("th", [("scope", "col")] + side, escaped(text)) }
      return column == 0
        ? element("th", [("scope", "row")] + side, escaped(text))
        : element(
          "td", text.split(separator: " ").contains { $0.count > 24 } ? [("class", "long")] : side, escaped(text))
    }
    let head = table.columns.indices.map { cell(table.columns[$0].title, $0, isHead: true) }.joined()
    let rows = table.rows.map { row in
      element("tr", [], row.indices.map { cell(row[$0], $0, isHead: false) }.joined())
    }
    return element(
      "div", [("class", "wide"), ("tabindex", "0"), ("role", "region"), ("aria-label", caption)],
      element(
        "table", [],
        element("caption", [], escaped(caption)) + element("thead", [], element("tr", [], head))
          + element("tbody", [], rows.joined(separator: "\n"))))
  }
}

extension PageBlock {
  /// The page's body.
  static func html(_ blocks: [PageBlock]) -> String {
    var heading = ""
    return blocks.map { block in
      switch block {
      case .title(let text):
        heading = text
        return HTML.element("h1", [], HTML.escaped(text))
      case .heading(let text):
        heading = text
        return HTML.element("h2", [], HTML.escaped(text))
      case .text(let text): return text.isEmpty ? "" : HTML.element("p", [], HTML.escaped(text))
      case .headlines(let heads):
        let boxes = heads.map { head in
          HTML.element(
            "div", [],
            HTML.element("strong", [], HTML.escaped(head.value)) + HTML.element("span", [], HTML.escaped(head.name)))
        }
        return HTML.element("div", [("class", "heads")], boxes.joined())
      case .table(let table): return HTML.table(table, caption: heading)
      case .code(let lines):
        return HTML.element("pre", [("tabindex", "0")], HTML.escaped(lines.joined(separator: "\n")))
      case .figure(let figure):
        let numbers = HTML.element("summary", [], "The numbers") + HTML.table(figure.table, caption: figure.title)
        return HTML.element(
          "figure", [],
          HTML.element("figcaption", [], HTML.escaped(figure.title))
            + HTML.element(
              "div",
              [
                ("class", "wide"), ("tabindex", "0"), ("role", "region"),
                ("aria-label", figure.title),
              ], figure.svg) + HTML.element("details", [], numbers))
      }
    }.joined(separator: "\n")
  }

  /// A page by itself: no script, nothing fetched.
  static func htmlPage(_ blocks: [PageBlock], title: String) -> String {
    """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
    <title>\(HTML.escaped(title))</title>
    <style>
    \(PageStyle.css)
    </style>
    </head>
    <body>
    <main>
    \(html(blocks))
    </main>
    </body>
    </html>

    """
  }
}
