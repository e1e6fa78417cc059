/// Text for a page of Markdown.
enum Markdown {
  /// Any text as it reads outside of code: none becomes an element of HTML, a link or an image.
  static func escaped(_ text: String) -> String {
    var out = ""
    for character in text {
      switch character {
      case "&": out += "&amp;"
      case "<": out += "&lt;"
      case "[": out += "&#91;"
      default: out.append(character)
      }
    }
    return out
  }
}
