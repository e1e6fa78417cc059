/// The name of one of the files of a split model, as llama.cpp's gguf-split gives it: `NAME-00001-of-00009.gguf`.
struct GGUFPartName: Hashable {
  /// What comes before the numbers.
  let prefix: String
  /// From 1.
  var number: Int
  let count: Int

  static let digits = 5
  /// A part's number is 16 bits wide in the files.
  static let most = 65_535
  private static let ending = ".gguf"

  init(prefix: String, number: Int, count: Int) {
    (self.prefix, self.number, self.count) = (prefix, number, count)
  }

  /// Nil for other names. The number may lie outside 1 to `count`.
  init?(_ fileName: String) {
    let bytes = Array(fileName.utf8)
    let (numbers, middle) = (GGUFPartName.digits, "-of-")
    let tail = 1 + numbers + middle.utf8.count + numbers + GGUFPartName.ending.utf8.count
    guard bytes.count > tail, fileName.hasSuffix(GGUFPartName.ending) else { return nil }
    let start = bytes.count - tail
    let first = start + 1
    let second = first + numbers + middle.utf8.count
    guard bytes[start] == UInt8(ascii: "-"), bytes[first + numbers..<second].elementsEqual(middle.utf8),
      let number = GGUFPartName.number(bytes[first..<first + numbers]),
      let count = GGUFPartName.number(bytes[second..<second + numbers]), (1...GGUFPartName.most).contains(count)
    else { return nil }
    self.init(prefix: String(decoding: bytes[..<start], as: UTF8.self), number: number, count: count)
  }

  private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
    guard digits.allSatisfy({ (48...57).contains($0) }) else { return nil }
    return Int(String(decoding: digits, as: UTF8.self))
  }

  var text: String {
    func padded(_ number: Int) -> String {
      let text = "\(number)"
      return String(repeating: "0", count: max(0, GGUFPartName.digits - text.count)) + text
    }
    return "\(prefix)-\(padded(number))-of-\(padded(count))\(GGUFPartName.ending)"
  }

  /// The name of another part of the same model.
  func part(_ number: Int) -> GGUFPartName { GGUFPartName(prefix: prefix, number: number, count: count) }
}
