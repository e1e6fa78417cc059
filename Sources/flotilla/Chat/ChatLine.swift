import Foundation

/// What a line of a chat asks for.
enum ChatLine: Equatable {
  case message(String)
  case reset
  /// Another system message, or none.
  case system(String?)
  case stats
  case help
  case quit
  /// A word that ends other programs, and is no question.
  case farewell
  /// A word behind "/" that is no command.
  case unknown(String)
  case nothing

  static let helpText = """
    /reset          forget the conversation
    /system TEXT    another system message, and a new conversation
    /system         the same without one
    /stats          speed of the last answer, tokens of the context in use
    /quit           end; so does Ctrl-D
    Ctrl-C stops an answer. A line that ends in \\ goes on in the next one.
    // at the beginning is a /.

    """

  /// - Parameter isTyped: whether a person typed it, and sees what is said to it.
  init(_ line: String, isTyped: Bool) {
    let text = line.trimmingCharacters(in: .whitespacesAndNewlines)
    if isTyped, ["exit", "quit"].contains(text.lowercased()) {
      self = .farewell
      return
    }
    guard text.hasPrefix("/") else {
      self = text.isEmpty ? .nothing : .message(line)
      return
    }
    if text.hasPrefix("//") {
      self = .message(String(text.dropFirst()))
      return
    }
    let words = text.split(separator: " ", maxSplits: 1).map(String.init)
    switch words[0] {
    case "/reset", "/clear": self = .reset
    case "/system": self = .system(words.count > 1 ? words[1] : nil)
    case "/stats": self = .stats
    case "/help", "/?": self = .help
    case "/quit", "/exit", "/bye": self = .quit
    default: self = .unknown(words[0])
    }
  }
}
