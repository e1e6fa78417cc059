/// A key, out of the bytes that a terminal sends for it.
package enum Key: Equatable {
  case text(String)
  case enter, backspace, delete
  case left, right, wordLeft, wordRight, home, end
  case up, down
  case eraseToStart, eraseToEnd, eraseWord
  case clearScreen, interrupt, endOfInput
}

/// Cuts a terminal's bytes into keys. What is pasted comes as text, its line ends too.
package struct KeyReader {
  private var pending: [UInt8] = []
  private var isPasting = false
  private var pasted: [UInt8] = []

  private static let pasteBegin = Array("\u{1B}[200~".utf8)
  private static let pasteEnd = Array("\u{1B}[201~".utf8)
  private static let mostPasted = 1 << 20

  package init() {}

  package mutating func add(_ bytes: some Sequence<UInt8>) -> [Key] {
    pending += bytes
    var keys: [Key] = []
    while !pending.isEmpty {
      if isPasting {
        guard let key = takePasted() else { break }
        keys.append(key)
        continue
      }
      guard let (key, count) = next() else { break }
      pending.removeFirst(count)
      if let key { keys.append(key) }
    }
    return keys
  }

  /// Pasted text once its end is there.
  private mutating func takePasted() -> Key? {
    guard let end = pending.firstRange(of: Self.pasteEnd) else {
      guard pending.count > Self.mostPasted else { return nil }
      defer { pending = [] }
      return .text(Self.plain(pending))
    }
    defer {
      pending.removeSubrange(..<end.upperBound)
      isPasting = false
    }
    return .text(Self.plain(pending[..<end.lowerBound]))
  }

  /// Line ends as line feeds; other control characters would move the cursor.
  private static func plain(_ bytes: some Sequence<UInt8>) -> String {
    let text = String(decoding: Array(bytes), as: UTF8.self).replacing("\r\n", with: "\n").replacing("\r", with: "\n")
    var kept = String.UnicodeScalarView()
    kept.append(contentsOf: text.unicodeScalars.filter { $0.value >= 32 && $0.value != 127 || $0 == "\n" })
    return String(kept)
  }

  /// The first key and its length; nil where more bytes must come.
  private mutating func next() -> (Key?, Int)? {
    let first = pending[0]
    if first == 0x1B { return escape() }
    if first < 0x20 || first == 0x7F { return (Self.control[first], 1) }
    let length = first < 0x80 ? 1 : first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 1
    guard pending.count >= length else { return nil }
    return (.text(String(decoding: pending[..<length], as: UTF8.self)), length)
  }

  private static let control: [UInt8: Key] = [
    1: .home, 2: .left, 3: .interrupt, 4: .endOfInput, 5: .end, 6: .right, 8: .backspace, 10: .enter, 11: .eraseToEnd,
    12: .clearScreen, 13: .enter, 14: .down, 16: .up, 21: .eraseToStart, 23: .eraseWord, 127: .backspace,
  ]

  /// ESC, then `[` or `O`, parameters, and a letter or `~`.
  private mutating func escape() -> (Key?, Int)? {
    guard pending.count >= 2 else { return nil }
    guard pending[1] == UInt8(ascii: "[") || pending[1] == UInt8(ascii: "O") else {
      switch pending[1] {
      case UInt8(ascii: "b"): return (.wordLeft, 2)
      case UInt8(ascii: "f"): return (.wordRight, 2)
      case 127: return (.eraseWord, 2)
      default: return (nil, 2)
      }
    }
    guard let last = pending[2...].firstIndex(where: { $0 >= 0x40 && $0 <= 0x7E }) else {
      return pending.count > 16 ? (nil, pending.count) : nil
    }
    let sequence = Array(pending[...last])
    if sequence == Self.pasteBegin {
      isPasting = true
      return (nil, sequence.count)
    }
    return (Self.key(String(decoding: sequence.dropFirst(2), as: UTF8.self)), sequence.count)
  }

  private static func key(_ sequence: String) -> Key? {
    switch sequence {
    case "A": .up
    case "B": .down
    case "C": .right
    case "D": .left
    case "H", "1~", "7~": .home
    case "F", "4~", "8~": .end
    case "3~": .delete
    case "1;5C", "1;3C": .wordRight
    case "1;5D", "1;3D": .wordLeft
    default: nil
    }
  }
}
