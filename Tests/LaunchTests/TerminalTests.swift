import Foundation
import Launch
import TestSupport
import Testing

@Suite("Keys and lines")
struct TerminalTests {
  @Test("Bytes of a terminal as keys, in whatever pieces they come")
  func keys() {
    let bytes = Array("aé\u{1B}[A\u{1B}[1;5C\u{1B}OH\u{1B}[3~\u{7F}\u{1}\u{1B}b\r\u{1B}[99~漢\u{4}\u{3}".utf8)
    let expected: [Key] = [
      .text("a"), .text("é"), .up, .wordRight, .home, .delete, .backspace, .home, .wordLeft, .enter, .text("漢"),
      .endOfInput, .interrupt,
    ]
    for size in 1...bytes.count {
      var reader = KeyReader()
      let keys = stride(from: 0, to: bytes.count, by: size).flatMap {
        reader.add(bytes[$0..<min($0 + size, bytes.count)])
      }
      #expect(keys == expected, "in pieces of \(size)")
    }
  }

  @Test("What is pasted is text, line ends too, and no control character of it does anything")
  func paste() {
    var reader = KeyReader()
    let keys = reader.add(Array("\u{1B}[200~one\r\ntwo\rthree\u{1B}[A\u{3}\u{1B}[201~x".utf8))
    #expect(keys == [.text("one\ntwo\nthree[A"), .text("x")])
  }

  @Test("Random bytes never stop a reader or an editor")
  func noise() {
    var random = SeededGenerator(seed: 7)
    var reader = KeyReader()
    var editor = LineEditor(prompt: "> ", history: ["old", "older"])
    var picture = LinePicture()
    for _ in 0..<20_000 {
      let bytes = (0..<Int.random(in: 0...5, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
      for key in reader.add(bytes) {
        if editor.press(key) != nil { editor = LineEditor(prompt: "> ", history: ["old", "older"]) }
        #expect((0...editor.text.count).contains(editor.cursor))
      }
      _ = picture.draw(editor, columns: 20)
    }
  }

  private func edited(_ keys: [Key], history: [String] = []) -> LineEditor.Outcome? {
    var editor = LineEditor(prompt: "> ", history: history)
    return keys.lazy.compactMap { editor.press($0) }.first
  }

  @Test("Editing")
  func editing() {
    #expect(edited([.text("helo"), .left, .text("l"), .enter]) == .line("hello"))
    #expect(edited([.text("one two"), .eraseWord, .text("2"), .enter]) == .line("one 2"))
    #expect(edited([.text("one two"), .wordLeft, .eraseToEnd, .enter]) == .line("one "))
    #expect(edited([.text("one two"), .wordLeft, .eraseToStart, .enter]) == .line("two"))
    #expect(edited([.text("ab"), .home, .delete, .end, .backspace, .backspace, .enter]) == .line(""))
    #expect(edited([.endOfInput]) == .end)
    #expect(edited([.text("a"), .home, .endOfInput, .enter]) == .line(""))
    #expect(edited([.text("a"), .interrupt]) == .dropped)
    // A mark joins its letter: one character to erase.
    #expect(edited([.text("e"), .text("\u{301}"), .backspace, .enter]) == .line(""))
  }

  @Test("The history, and the line that was being written")
  func history() {
    let history = ["first", "second"]
    #expect(edited([.up, .enter], history: history) == .line("second"))
    #expect(edited([.up, .up, .up, .enter], history: history) == .line("first"))
    #expect(edited([.text("new"), .up, .down, .enter], history: history) == .line("new"))
    #expect(edited([.up, .text("!"), .enter], history: history) == .line("second!"))
  }

  @Test("A line longer than the terminal is drawn from its first row")
  func wrapping() {
    var editor = LineEditor(prompt: "> ", history: [])
    var picture = LinePicture()
    _ = editor.press(.text(String(repeating: "x", count: 25)))
    #expect(picture.draw(editor, columns: 10) == "\r\u{1B}[J> " + String(repeating: "x", count: 25) + "\r\u{1B}[7C")
    _ = editor.press(.home)
    // The cursor stood in the third row, and goes to the first.
    #expect(
      picture.draw(editor, columns: 10) == "\u{1B}[2A\r\u{1B}[J> " + String(repeating: "x", count: 25)
        + "\u{1B}[2A\r\u{1B}[2C")
  }

  @Test("History in a file: kept, private, whatever the lines hold")
  func historyFile() throws {
    let file = FileManager.default.temporaryDirectory.appending(path: "history-\(UUID().uuidString)/h")
    defer { try? FileManager.default.removeItem(at: file.deletingLastPathComponent()) }
    let lines = ["one", "two\nlines", "back\\slash \\n", "漢字"]
    var history = LineHistory(file: file)
    for line in lines + ["漢字", "  "] { history.add(line) }
    #expect(LineHistory(file: file).lines == lines)
    let mode = try FileManager.default.attributesOfItem(atPath: file.path)[.posixPermissions] as? Int
    #expect(mode == 0o600)
    for number in 0..<600 { history.add("\(number)") }
    #expect(LineHistory(file: file).lines.count == LineHistory.most)
  }
}
