/// A line that a person edits, with a history behind it. Knows nothing of terminals: keys go in, and text to show
/// comes out.
package struct LineEditor {
  package enum Outcome: Equatable {
    case line(String)
    /// Ctrl-C: the line is dropped.
    case dropped
    /// Ctrl-D on an empty line.
    case end
  }

  package let prompt: String
  package private(set) var text: [Character] = []
  /// Characters before the cursor.
  package private(set) var cursor = 0
  private let history: [String]
  /// The entry of the history that is shown; its count: what is being written.
  private var entry: Int
  private var draft: [Character] = []

  /// - Parameter history: oldest first.
  package init(prompt: String, history: [String]) {
    self.prompt = prompt
    self.history = history
    entry = history.count
  }

  /// - Returns: how the line ended, where this key ended it.
  package mutating func press(_ key: Key) -> Outcome? {
    switch key {
    case .enter: return .line(String(text))
    case .interrupt: return .dropped
    case .endOfInput where text.isEmpty: return .end
    case .text(let more): insert(more)
    case .backspace: erase(max(0, cursor - 1)..<cursor)
    case .delete, .endOfInput: erase(cursor..<min(cursor + 1, text.count))
    case .eraseToStart: erase(0..<cursor)
    case .eraseToEnd: erase(cursor..<text.count)
    case .eraseWord: erase(wordStart..<cursor)
    case .left: cursor = max(0, cursor - 1)
    case .right: cursor = min(text.count, cursor + 1)
    case .wordLeft: cursor = wordStart
    case .wordRight: cursor = wordEnd
    case .home: cursor = 0
    case .end: cursor = text.count
    case .up: recall(entry - 1)
    case .down: recall(entry + 1)
    case .clearScreen: break
    }
    return nil
  }

  private mutating func insert(_ more: String) {
    // A combining mark may join the character before it.
    let head = String(text[..<cursor]) + more
    let tail = text[cursor...]
    text = Array(head) + tail
    cursor = text.count - tail.count
  }

  private mutating func erase(_ range: Range<Int>) {
    text.removeSubrange(range)
    cursor = range.lowerBound
  }

  private mutating func recall(_ wanted: Int) {
    guard (0...history.count).contains(wanted), wanted != entry else { return }
    if entry == history.count { draft = text }
    entry = wanted
    text = wanted == history.count ? draft : Array(history[wanted])
    cursor = text.count
  }

  private var wordStart: Int {
    var position = cursor
    while position > 0, text[position - 1].isWhitespace { position -= 1 }
    while position > 0, !text[position - 1].isWhitespace { position -= 1 }
    return position
  }

  private var wordEnd: Int {
    var position = cursor
    while position < text.count, text[position].isWhitespace { position += 1 }
    while position < text.count, !text[position].isWhitespace { position += 1 }
    return position
  }
}

/// Draws a line over as many rows as it needs.
package struct LinePicture {
  /// Rows between the first one and the cursor, as drawn last.
  private var cursorRow = 0

  package init() {}

  /// What takes the terminal from the line as drawn last to the line as it is now.
  package mutating func draw(_ editor: LineEditor, columns: Int) -> String {
    let shown = editor.text.map(Self.visible)
    let before = Self.place(editor.prompt, shown[..<editor.cursor], columns)
    let end = Self.place(editor.prompt, shown[...], columns)
    var output = (cursorRow > 0 ? "\u{1B}[\(cursorRow)A" : "") + "\r\u{1B}[J" + editor.prompt + shown.joined()
    // A full row leaves the cursor behind its last column: the next row must be begun.
    if end.column == 0 && end.row > 0 { output += "\r\n" }
    if end.row > before.row { output += "\u{1B}[\(end.row - before.row)A" }
    output += "\r" + (before.column > 0 ? "\u{1B}[\(before.column)C" : "")
    cursorRow = before.row
    return output
  }

  /// Leaves the line as it stands, and the cursor below it.
  mutating func finish(_ editor: LineEditor, columns: Int) -> String {
    var last = editor
    _ = last.press(.end)
    defer { cursorRow = 0 }
    return draw(last, columns: columns) + "\r\n"
  }

  private static func visible(_ character: Character) -> String { character == "\n" ? "⏎" : String(character) }

  private static func place(_ prompt: String, _ pieces: ArraySlice<String>, _ columns: Int) -> (row: Int, column: Int) {
    var (row, column) = (0, 0)
    func advance(_ width: Int) {
      if column + width > columns { (row, column) = (row + 1, 0) }
      column += width
      if column == columns { (row, column) = (row + 1, 0) }
    }
    for character in prompt { advance(width(character)) }
    for piece in pieces { for character in piece { advance(width(character)) } }
    return (row, column)
  }

  /// Columns of a character: 2 for East Asian wide ones and pictures, 0 for marks alone.
  static func width(_ character: Character) -> Int {
    guard let scalar = character.unicodeScalars.first else { return 0 }
    if scalar.properties.generalCategory == .nonspacingMark { return 0 }
    if scalar.properties.isEmojiPresentation || character.unicodeScalars.contains("\u{FE0F}") { return 2 }
    switch scalar.value {
    case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F,
      0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x20000...0x3FFFD:
      return 2
    default: return 1
    }
  }
}
