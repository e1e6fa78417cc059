import Glibc
import Kernels

/// Asks the person at a terminal for a line, a few bytes at a time, so that whoever asks can do other things meanwhile.
public final class LinePrompt {
  private let input: Int32
  private let output: Int32
  private var raw: RawMode
  private var history: LineHistory
  private var keys = KeyReader()
  private var picture = LinePicture()
  private var editor: LineEditor?
  /// Keys that were pressed before anybody asked.
  private var early: [Key] = []

  public convenience init(input: Int32 = STDIN_FILENO, output: Int32 = STDOUT_FILENO) {
    self.init(input: input, output: output, history: .standard())
  }

  init(input: Int32, output: Int32, history: LineHistory) {
    self.input = input
    self.output = output
    self.history = history
    raw = RawMode(input)
  }

  public var isAsking: Bool { editor != nil }

  /// Shows the prompt and begins to take keys.
  public func ask(_ prompt: String) {
    raw.begin()
    // Bracketed paste: what is pasted is text, not keys.
    write("\u{1B}[?2004h")
    editor = LineEditor(prompt: prompt, history: history.lines)
    redraw()
  }

  /// - Returns: the answer, once it is there.
  public func add(_ bytes: [UInt8]) -> LineAnswer? {
    let pressed = early + (bytes.isEmpty ? [] : keys.add(bytes))
    early = []
    for (index, key) in pressed.enumerated() {
      guard editor != nil else { break }
      if let answer = press(key) {
        early = Array(pressed[(index + 1)...])
        return answer
      }
    }
    if !pressed.isEmpty { redraw() }
    return nil
  }

  /// The terminal's end: nobody can type any more.
  public func close() -> LineAnswer {
    end()
    return .end
  }

  private func press(_ key: Key) -> LineAnswer? {
    if key == .clearScreen {
      write("\u{1B}[H\u{1B}[2J")
      picture = LinePicture()
    }
    switch editor?.press(key) {
    case nil: return nil
    case .line(let line):
      end()
      history.add(line)
      return .line(line)
    case .dropped:
      guard let prompt = editor?.prompt else { return nil }
      let isEmpty = editor?.text.isEmpty == true
      end()
      if isEmpty { write("(/quit or Ctrl-D ends)\r\n") }
      ask(prompt)
      return nil
    case .end:
      end()
      return .end
    }
  }

  /// Leaves the line and gives the terminal back.
  public func end() {
    guard let editor else { return }
    write(picture.finish(editor, columns: TerminalSize(output).columns) + "\u{1B}[?2004l")
    self.editor = nil
    raw.end()
  }

  private func redraw() {
    guard let editor else { return }
    write(picture.draw(editor, columns: TerminalSize(output).columns))
  }

  private func write(_ text: String) { Descriptor.write(Array(text.utf8), to: output) }
}
