import Foundation

/// Damages byte strings in the ways that parsers dislike: flips, cuts, repeats, splices, big numbers.
public struct Mutator: Sendable {
  public var random: SeededGenerator
  private let dictionary: [[UInt8]]

  private static let common = [
    "0", "-1", "1e999", "9223372036854775807", "18446744073709551616", "1000000000", "null", "true",
    "\"", "\\", "\\ud800", "{", "}", "[", "]", ",", ":", "\u{0}", "\u{FFFD}", "[[[[[[[[", "{\"a\":",
  ]

  /// - Parameter words: fragments of the format under test, inserted now and then.
  public init(seed: UInt64, words: [String] = []) {
    random = SeededGenerator(seed: seed)
    dictionary = (Self.common + words).map { Array($0.utf8) }
  }

  /// A copy with one to four damages.
  public mutating func mutated(_ original: [UInt8]) -> [UInt8] {
    var bytes = original
    for _ in 0...random.below(4) { damage(&bytes) }
    return bytes
  }

  private mutating func damage(_ bytes: inout [UInt8]) {
    guard !bytes.isEmpty else {
      bytes = dictionary[random.below(dictionary.count)]
      return
    }
    let at = random.below(bytes.count)
    let length = min(bytes.count - at, 1 + random.below(random.below(8) == 0 ? 64 : 8))
    switch random.below(9) {
    case 0: bytes[at] ^= 1 << UInt8(random.below(8))
    case 1: bytes[at] = UInt8(truncatingIfNeeded: random.next())
    case 2: bytes.removeSubrange(at..<at + length)
    case 3: bytes.insert(contentsOf: bytes[at..<at + length], at: random.below(bytes.count))
    case 4: bytes.insert(contentsOf: dictionary[random.below(dictionary.count)], at: at)
    case 5: bytes.replaceSubrange(at..<at + length, with: dictionary[random.below(dictionary.count)])
    case 6: bytes.swapAt(at, random.below(bytes.count))
    case 7: bytes[at] = Array("\"{}[]:,0-eE.\\ \n%|_'".utf8)[random.below(19)]
    default: if random.below(8) == 0 { bytes.removeSubrange(at...) }
    }
  }
}

/// Calls `body` with a copy in memory of exactly its size, where an address sanitizer sees the first byte behind it.
public func withExactCopy<Result>(
  of bytes: [UInt8], _ body: (UnsafeRawBufferPointer) throws -> Result
) rethrows -> Result {
  let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
  defer { copy.deallocate() }
  copy.copyBytes(from: bytes)
  return try body(UnsafeRawBufferPointer(copy))
}

/// How often fuzz tests run: `short`, or more where FLOTILLA_FUZZ says so.
public func fuzzCount(_ short: Int) -> Int {
  guard let text = ProcessInfo.processInfo.environment["FLOTILLA_FUZZ"], let count = Int(text) else {
    return short
  }
  return max(count, short)
}
