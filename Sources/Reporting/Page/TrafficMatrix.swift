/// Bytes and messages from each rank to each other one.
struct TrafficMatrix {
  private let record: RunRecord
  private let bytes: [[Int]]
  private let messages: [[Int]]
  /// A larger job has no room on a page.
  private static let mostRanks = 64

  /// Nil where there is one rank, too many, or nobody counted.
  init?(_ record: RunRecord) {
    let count = record.ranks.count
    let bytes = record.ranks.compactMap(\.bytesSentTo)
    let messages = record.ranks.compactMap(\.messagesSentTo)
    guard (2...Self.mostRanks).contains(count), bytes.count == count, messages.count == count,
      (bytes + messages).allSatisfy({ $0.count == count })
    else { return nil }
    (self.record, self.bytes, self.messages) = (record, bytes, messages)
  }

  var text: String {
    let tokens = Double(max(record.tokens.computed, 1))
    let (all, count) = (bytes.joined().reduce(0, +), messages.joined().reduce(0, +))
    return "\(Format.bytes(all)) in \(Format.exact(count)) messages; for each token "
      + "\(Format.bytes(Double(all) / tokens)) in \(Format.significant(Double(count) / tokens)) messages. "
      + "Heartbeats are not counted."
  }

  var figure: PageFigure {
    let names = record.ranks.map { "\($0.rank)" }
    var table = TextTable([.init("From", .left)] + names.map { .init("to \($0)") })
    for (row, name) in names.enumerated() {
      table.append(
        ["rank \(name)"]
          + zip(bytes[row], messages[row]).map { $0 == 0 ? Format.none : "\(Format.bytes($0)) (\(Format.tally($1)))" })
    }
    let title = "Bytes (and messages) from each rank to each other one"
    let size = max(12, min(44, 640 / Double(names.count)))
    let svg = SVG.cells(
      bytes.map { $0.map { $0 == 0 ? nil : Double($0) } }, rows: names.map { "from \($0)" }, columns: names,
      cell: (size, size * 0.7), title: title, text: { Format.bytes($0) })
    return PageFigure(title: title, svg: svg, table: table)
  }
}
