import Checkpoint
import StrictJSON

/// The lines of a journal: an object of JSON each, whose last member is the checksum of the file's text so far, so that
/// a line that was changed, lost, moved or cut shows.
enum JournalLine {
  private static let before = Array(",\"crc\":\"".utf8)
  private static let after = Array("\"}".utf8)
  private static let tailCount = before.count + 8 + after.count

  /// - Parameters:
  ///   - value: an object with at least one member.
  ///   - checksum: of all lines so far; takes this one too.
  /// - Returns: the line with its line feed.
  static func sealed(_ value: JSONValue, _ checksum: inout Checksum) -> [UInt8] {
    var line = JSONText.bytes(value)
    line.removeLast()
    checksum.update(line)
    line += before
    line += checksum.text.utf8
    line += after
    line.append(10)
    return line
  }

  /// What is wrong with a line as bytes.
  struct Damage: Error {
    let subject: String
    let expected: String
    let found: String
  }

  /// - Parameters:
  ///   - line: without its line feed.
  ///   - checksum: of all lines before; takes this one too, where it is intact.
  static func verify(_ line: ArraySlice<UInt8>, _ checksum: inout Checksum) throws(Damage) {
    let tail = line.suffix(tailCount)
    guard line.count > tailCount, tail.starts(with: before), tail.suffix(after.count).elementsEqual(after) else {
      throw Damage(
        subject: "end of the line", expected: "\"crc\" with eight digits", found: "other bytes")
    }
    let found = String(decoding: tail.dropFirst(before.count).prefix(8), as: UTF8.self)
    var sum = checksum
    sum.update(line.dropLast(tailCount))
    guard found == sum.text else { throw Damage(subject: "checksum", expected: sum.text, found: found) }
    checksum = sum
  }
}
