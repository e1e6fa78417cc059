/// Words for programs that split a text into words.
package enum ShellText {
  /// `word` as a shell of the POSIX kind reads it back, whatever is in it.
  package static func quoted(_ word: String) -> String {
    let isPlain = word.utf8.allSatisfy { byte in
      switch byte {
      case 48...57, 65...90, 97...122: true
      case UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "/"), UInt8(ascii: ":"),
        UInt8(ascii: "@"), UInt8(ascii: "="), UInt8(ascii: ","), UInt8(ascii: "+"):
        true
      default: false
      }
    }
    if isPlain, !word.isEmpty { return word }
    let parts = word.unicodeScalars.split(separator: "'", omittingEmptySubsequences: false)
    return "'" + parts.map { String($0) }.joined(separator: "'\\''") + "'"
  }

  /// A command line to paste.
  package static func line(_ words: [String]) -> String { words.map(quoted).joined(separator: " ") }

  /// Words joined as rsync's `-e` takes them: quotes keep spaces, and a quote inside is written twice.
  package static func rsyncCommand(_ words: [String]) -> String {
    words.map { word in
      guard word.isEmpty || word.contains(where: { " '\"".contains($0) }) else { return word }
      return "'" + word.replacing("'", with: "''") + "'"
    }.joined(separator: " ")
  }

  /// The words of a command written as for rsync's `-e`.
  ///
  /// - Returns: nil where a quote is not closed, or there is no word.
  package static func words(rsyncCommand text: String) -> [String]? {
    var words: [String] = []
    var word: String?
    var quote: Character?
    var rest = Array(text)[...]
    while let character = rest.popFirst() {
      if let open = quote {
        if character != open {
          word!.append(character)
        } else if rest.first == open {
          word!.append(rest.removeFirst())
        } else {
          quote = nil
        }
      } else if character == "'" || character == "\"" {
        quote = character
        word = word ?? ""
      } else if character == " " {
        if let done = word { words.append(done) }
        word = nil
      } else {
        word = (word ?? "") + String(character)
      }
    }
    if let done = word { words.append(done) }
    return quote == nil && !words.isEmpty && !words[0].isEmpty ? words : nil
  }
}
