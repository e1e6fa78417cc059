import Inference

/// What a run reached of what the machines can do: a product of weights waits for memory or for arithmetic.
struct Roofline {
  private let record: RunRecord
  private let limits: Calibration
  private let mark: String

  init(_ record: RunRecord, _ limits: Calibration, _ mark: String) {
    (self.record, self.limits, self.mark) = (record, limits, mark)
  }

  var blocks: [PageBlock] {
    var table = TextTable([
      .init("Rank", .left), .init("Weights read"), .init("a second, busy"), .init("of memory's"),
      .init("Multiply-adds a second, busy"), .init("of int8 peak"),
    ])
    for rank in record.ranks {
      guard let bytes = rank.weightBytesRead, rank.busySeconds > 0 else { continue }
      let threads = rank.rank < record.setup.threads.count ? record.setup.threads[rank.rank] : 1
      let (speed, adds) = (Double(bytes) / rank.busySeconds, Double(rank.parametersApplied) / rank.busySeconds)
      table.append([
        "rank \(rank.rank)", Format.bytes(bytes), Format.bytes(speed) + "/s",
        Format.share(limit(of: rank, threads, \.readBytesPerSecond).map { speed / $0 }),
        Format.count(adds.rounded()),
        Format.share(limit(of: rank, threads, \.multiplyAddsInt8PerSecond).map { adds / $0 }),
      ])
    }
    guard !table.rows.isEmpty else { return [.text("Not recorded: bytes of weights that were read.")] }
    return [
      .text(
        "Against what flotilla calibrate found on \(printable(limits.date, limit: 40))\(mark). A rank is busy with more "
          + "than products of weights, so no share reaches 100 %; the higher one says what it waits for."),
      .table(table),
    ]
  }

  private func limit(
    of rank: RunRecord.Rank, _ threads: Int, _ speeds: KeyPath<Calibration.Host, [Calibration.ThreadSpeed]>
  ) -> Double? {
    let host = limits.hosts.first { $0.name == rank.host } ?? (limits.hosts.count == 1 ? limits.hosts[0] : nil)
    return host?[keyPath: speeds].last { $0.threads <= threads }?.best
  }
}
