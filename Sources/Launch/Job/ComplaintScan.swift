/// Looks for a line that begins with "error: " in bytes that pass by.
struct ComplaintScan {
  private(set) var isFound = false
  /// The beginning of the line that is being written.
  private var line: [UInt8] = []

  private static let mark = Array("error: ".utf8)
  /// What wipes a progress line away before another text takes its place.
  private static let wipe = Array("\u{1B}[K".utf8)

  /// Whether the last byte ended a line, or wiped it.
  var isAtLineStart: Bool { line.isEmpty }

  mutating func add(_ bytes: some Sequence<UInt8>) {
    for byte in bytes {
      if byte == 10 || byte == 13 {
        line = []
      } else if line.count < Self.mark.count {
        line.append(byte)
        if line == Self.wipe { line = [] }
        if line == Self.mark { isFound = true }
      }
    }
  }
}
