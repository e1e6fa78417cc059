/// Standard output among what a coordinator writes to one screen: a zero byte, the number of bytes, a line feed, the
/// bytes. So a launcher can tell it from standard error, and the order of both is kept.
package enum ScreenFrame {
  package static func bytes(_ output: some Collection<UInt8>) -> [UInt8] {
    output.isEmpty ? [] : [0] + Array("\(output.count)\n".utf8) + output
  }
}

/// Reads what comes for one screen.
package struct ScreenReader {
  package enum Piece: Equatable {
    case output([UInt8])
    case errors([UInt8])
  }

  /// Bytes of the frame that are still to come.
  private var missing = 0
  /// The beginning of a frame, behind its zero byte; nil outside.
  private var head: [UInt8]?

  private static let mostDigits = 18

  package init() {}

  package mutating func add(_ bytes: some Sequence<UInt8>) -> [Piece] {
    var pieces: [Piece] = []
    var rest = Array(bytes)[...]
    while let first = rest.first {
      if missing > 0 {
        let output = rest.prefix(missing)
        pieces.append(.output(Array(output)))
        missing -= output.count
        rest = rest.dropFirst(output.count)
      } else if head != nil {
        rest = rest.dropFirst()
        take(first, &pieces)
      } else if first == 0 {
        head = []
        rest = rest.dropFirst()
      } else {
        let text = rest.prefix { $0 != 0 }
        pieces.append(.errors(Array(text)))
        rest = rest.dropFirst(text.count)
      }
    }
    return pieces
  }

  /// A byte of a frame's head; what is none after all is shown as it came.
  private mutating func take(_ byte: UInt8, _ pieces: inout [Piece]) {
    guard let digits = head else { return }
    if byte == 10, let count = Int(String(decoding: digits, as: UTF8.self)) {
      (missing, head) = (count, nil)
    } else if (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte), digits.count < Self.mostDigits {
      head = digits + [byte]
    } else {
      head = nil
      pieces.append(.errors([0] + digits + [byte]))
    }
  }
}
