/// What numbers of a record can be: a page adds them up, divides by them and draws them, and a file may hold any.
enum RecordBounds {
  typealias Problem = RecordLine.Problem

  static let ranks = 65_536
  static let threads = 65_536
  /// Of a layer, and layers with experts.
  static let experts = 65_536
  /// Of a sequence, as many as `flotilla plan` takes.
  static let positions = 1 << 24
  /// Of all sequences.
  static let tokens = 1 << 40
  static let sequences = 1 << 20
  static let bytes = 1 << 56
  /// From one rank to another: the sum of a matrix of 64 ranks is at most 2^62.
  static let betweenRanks = 1 << 50
  /// Over 30 years.
  static let seconds = 1e9
  static let rate = 1e12

  /// Of a rank: the sum of all ranks is at most 2^62.
  static func counts(ofRanks count: Int) -> Int { min(bytes, (1 << 62) / max(count, 1)) }

  static func check(_ field: @autoclosure () -> String, _ value: Int?, to most: Int) throws(Problem) {
    guard let value, !(0...most).contains(value) else { return }
    throw Problem(field(), expected: "a number from 0 to \(most)", found: "\(value)")
  }

  /// NaN and infinities are refused too.
  static func check(_ field: @autoclosure () -> String, _ value: Double?, to most: Double) throws(Problem) {
    guard let value, !(0...most).contains(value) else { return }
    throw Problem(field(), expected: "a number from 0 to \(most)", found: "\(value)")
  }

  static func check(_ field: String, listOf count: Int?, to most: Int) throws(Problem) {
    guard let count, count > most else { return }
    throw Problem(field, expected: "at most \(most) of them", found: "\(count)")
  }
}
