/// A piece of a page that is text for a terminal or Markdown.
enum PageBlock {
  case title(String)
  case heading(String)
  case text(String)
  /// What is read first, large; where text has one size, a table behind it says it.
  case headlines([(value: String, name: String)])
  case table(TextTable)
  case code([String])
  /// A drawing; where there are none, its table.
  case figure(PageFigure)

  /// The same with other words in its texts, not in tables, which look after theirs.
  private func mapped(_ change: (String) -> String) -> PageBlock {
    switch self {
    case .title(let text): return .title(change(text))
    case .heading(let text): return .heading(change(text))
    case .text(let text): return .text(change(text))
    case .figure(var figure):
      figure.title = change(figure.title)
      return .figure(figure)
    case .headlines, .table, .code: return self
    }
  }

  /// No text of a record or of another machine tells a terminal what to do, wherever it stands.
  private static func harmless(_ text: String) -> String { printable(text, limit: .max) }

  static func text(_ blocks: [PageBlock]) -> String {
    var lines: [String] = []
    for block in blocks.map({ $0.mapped(harmless) }) {
      switch block {
      case .title(let text): lines += [text, ""]
      case .heading(let text): lines += [text, ""]
      case .text(let text) where text.isEmpty: break
      case .text(let text): lines += wrapped(text, width: 100) + [""]
      case .headlines: break
      case .table(let table): lines += table.lines().map { "  " + $0 } + [""]
      case .code(let code): lines += code.map { "  " + harmless($0) } + [""]
      case .figure(let figure):
        lines += wrapped(figure.title, width: 100) + figure.table.lines().map { "  " + $0 } + [""]
      }
    }
    return lines.dropLast().joined(separator: "\n") + "\n"
  }

  static func markdown(_ blocks: [PageBlock], level: Int) -> String {
    var lines: [String] = []
    for block in blocks.map({ $0.mapped { Markdown.escaped(harmless($0)) } }) {
      switch block {
      case .title(let text): lines += [String(repeating: "#", count: level) + " " + text, ""]
      case .heading(let text): lines += [String(repeating: "#", count: level + 1) + " " + text, ""]
      case .text(let text) where text.isEmpty: break
      case .text(let text): lines += wrapped(text, width: 120) + [""]
      case .headlines: break
      case .table(let table): lines += table.markdown + [""]
      case .code(let code): lines += ["```sh"] + code.map(harmless) + ["```", ""]
      case .figure(let figure): lines += wrapped(figure.title, width: 120) + [""] + figure.table.markdown + [""]
      }
    }
    return lines.dropLast().joined(separator: "\n") + "\n"
  }

  private static func wrapped(_ text: String, width: Int) -> [String] {
    var lines: [String] = []
    for word in text.split(separator: " ") {
      if let last = lines.last, last.unicodeScalars.count + 1 + word.unicodeScalars.count <= width {
        lines[lines.count - 1] = last + " " + word
      } else {
        lines.append(String(word))
      }
    }
    return lines
  }
}
