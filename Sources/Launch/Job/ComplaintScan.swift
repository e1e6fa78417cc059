/// Looks for a line that begins with "error: " in bytes that pass by.
package struct ComplaintScan {
  /// The first such line, without its beginning; nil where there is none.
  package var complaint: String? { found.map { String(decoding: $0, as: UTF8.self) } }
  private var found: [UInt8]?
  private var isInside = false
  /// The beginning of the line that is being written.
  private var line: [UInt8] = []

  package init() {}

  private static let mark = Array("error: ".utf8)
  /// What wipes a progress line away before another text takes its place.
  private static let wipe = Array("\u{1B}[K".utf8)

  private static let mostKept = 500

  /// Whether the last byte ended a line, or wiped it.
  package var isAtLineStart: Bool { line.isEmpty }

  /// Takes note of text that is no complaint, whatever it says.
  package mutating func pass(_ bytes: [UInt8]) {
    guard let last = bytes.last else { return }
    (line, isInside) = (last == 10 || last == 13 ? [] : [0], false)
  }

  package mutating func add(_ bytes: some Sequence<UInt8>) {
    for byte in bytes {
      if byte == 10 || byte == 13 {
        (line, isInside) = ([], false)
      } else if isInside {
        if found!.count < Self.mostKept { found!.append(byte) }
      } else if line.count < Self.mark.count {
        line.append(byte)
        if line == Self.wipe { line = [] }
        if line == Self.mark, found == nil { (found, isInside) = ([], true) }
      }
    }
  }
}
