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

  static func text(_ blocks: [PageBlock]) -> String {
    var lines: [String] = []
    for block in blocks {
      switch block {
      case .title(let text): lines += [text, ""]
      case .heading(let text): lines += [text, ""]
      case .text(let text) where text.isEmpty: break
      case .text(let text): lines += wrapped(text, width: 100) + [""]
      case .headlines: break
      case .table(let table): lines += table.lines().map { "  " + $0 } + [""]
      case .code(let code): lines += code.map { "  " + $0 } + [""]
      case .figure(let figure):
        lines += wrapped(figure.title, width: 100) + figure.table.lines().map { "  " + $0 } + [""]
      }
    }
    return lines.dropLast().joined(separator: "\n") + "\n"
  }

  static func markdown(_ blocks: [PageBlock], level: Int) -> String {
    var lines: [String] = []
    for block in blocks {
      switch block {
      case .title(let text): lines += [String(repeating: "#", count: level) + " " + text, ""]
      case .heading(let text): lines += [String(repeating: "#", count: level + 1) + " " + text, ""]
      case .text(let text) where text.isEmpty: break
      case .text(let text): lines += wrapped(text, width: 120) + [""]
      case .headlines: break
      case .table(let table): lines += table.markdown + [""]
      case .code(let code): lines += ["```sh"] + code + ["```", ""]
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
