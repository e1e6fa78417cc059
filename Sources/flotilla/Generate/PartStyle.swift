import Inference

/// Sets reasoning apart in text that streams: dim, or between its marks where there are no colors.
struct PartStyle {
  private let terminal: Terminal
  /// Whether reasoning is set apart here; otherwise the tokens themselves do it.
  private let showsMarks: Bool
  private(set) var part: TextPart?

  init(_ terminal: Terminal, showsMarks: Bool) {
    self.terminal = terminal
    self.showsMarks = showsMarks
  }

  /// What comes before text of this part.
  mutating func change(to new: TextPart) -> String {
    guard new != part else { return "" }
    defer { part = new }
    guard showsMarks || terminal.isColored else { return "" }
    var text = ""
    if part == .reasoning { text += terminal.isColored ? terminal.end : "</think>" }
    if new == .reasoning { text += terminal.isColored ? terminal.begin(.dim) : "<think>" }
    return text
  }

  /// What comes behind the last text.
  mutating func end() -> String {
    defer { part = nil }
    return part == .reasoning ? terminal.end : ""
  }
}
