/// What a terminal shows after it was sent some bytes: the few control sequences that this project sends, as xterm
/// obeys them.
public struct TerminalPicture {
  /// Rows that have scrolled off the top, oldest first.
  public private(set) var scrolled: [String] = []
  private var cells: [[Character]]
  private var (row, column) = (0, 0)
  private var saved = (row: 0, column: 0)
  /// The scrolling region: first and last row.
  private var region: ClosedRange<Int>
  private let columns: Int

  public init(rows: Int = 24, columns: Int = 100) {
    cells = Array(repeating: Array(repeating: " ", count: columns), count: rows)
    region = 0...rows - 1
    self.columns = columns
  }

  /// The rows of the screen, without blanks at their ends.
  public var rows: [String] { cells.map(Self.text) }

  /// All rows that were ever shown, with the last ones on the screen.
  public var all: [String] { scrolled + rows }

  private static func text(_ row: [Character]) -> String {
    String(row.reversed().drop { $0 == " " }.reversed())
  }

  public mutating func show(_ bytes: some Sequence<UInt8>) {
    var rest = String(decoding: Array(bytes), as: UTF8.self).unicodeScalars[...]
    while let scalar = rest.popFirst() {
      switch scalar {
      case "\r": column = 0
      case "\n": lineFeed()
      case "\u{1B}": escape(&rest)
      case "\u{8}": column = max(0, column - 1)
      case _ where scalar.value < 32: break
      default: put(Character(scalar))
      }
    }
  }

  private mutating func put(_ character: Character) {
    if column == columns {
      column = 0
      lineFeed()
    }
    cells[row][column] = character
    column += 1
  }

  private mutating func lineFeed() {
    guard row == region.upperBound else { return row = min(row + 1, cells.count - 1) }
    let top = cells.remove(at: region.lowerBound)
    if region.lowerBound == 0 { scrolled.append(Self.text(top)) }
    cells.insert(Array(repeating: " ", count: columns), at: region.upperBound)
  }

  private mutating func escape(_ rest: inout String.UnicodeScalarView.SubSequence) {
    switch rest.popFirst() {
    case "7": saved = (row, column)
    case "8": (row, column) = saved
    case "D": lineFeed()
    case "[":
      var parameters = ""
      while let scalar = rest.popFirst() {
        if scalar.value >= 0x40 { return obey(scalar, parameters) }
        parameters.unicodeScalars.append(scalar)
      }
    default: break
    }
  }

  private mutating func obey(_ command: Unicode.Scalar, _ text: String) {
    let numbers = text.split(separator: ";").map { Int($0) ?? 0 }
    let count = max(1, numbers.first ?? 1)
    switch command {
    case "A": row = max(0, row - count)
    case "B": row = min(cells.count - 1, row + count)
    case "C": column = min(columns - 1, column + count)
    case "D": column = max(0, column - count)
    case "H": (row, column) = (min(count, cells.count) - 1, max(1, numbers.dropFirst().first ?? 1) - 1)
    case "K": for index in column..<columns { cells[row][index] = " " }
    case "J":
      for index in column..<columns { cells[row][index] = " " }
      for below in cells.indices.dropFirst(row + 1) { cells[below] = Array(repeating: " ", count: columns) }
    case "r":
      region = numbers.count == 2 ? numbers[0] - 1...numbers[1] - 1 : 0...cells.count - 1
      (row, column) = (0, 0)
    default: break
    }
  }
}
