import ExpertParallel
import Foundation

/// Measures all machines and links of a job, on its first rank; the other ranks ``CalibrationRank/serve()``.
public struct Calibrator {
  let rank: CalibrationRank
  let options: CalibrationOptions
  /// Steps done, steps in all, and what comes next.
  private let progress: (Int, Int, String) -> Void

  public init(
    _ rank: CalibrationRank, options: CalibrationOptions,
    progress: @escaping (_ done: Int, _ total: Int, _ next: String) -> Void = { _, _, _ in }
  ) {
    self.rank = rank
    self.options = options
    self.progress = progress
  }

  /// Sizes of messages, bytes: a call, rows of a token, rows of a chunk, and what shows the bandwidth.
  public static let messageSizes = [64, 8 << 10, 32 << 10, 1 << 20, 8 << 20]

  /// Machines first, each alone; then every link while all other ranks are quiet; then all ranks at once.
  ///
  /// - Throws: ``CalibrationFailure``, `Interrupted`, and what the exchange throws.
  public func run(date: Date = Date(), version: String) throws -> Calibration {
    let hosts = ranksByHost()
    let pairs = pairs()
    let total = 2 + pairs.count
    begin(0, of: total, "memory and arithmetic")
    var found = try machines(hosts)
    var links: [Calibration.Link] = []
    for (index, pair) in pairs.enumerated() {
      begin(1 + index, of: total, "messages between ranks \(pair.from) and \(pair.to)")
      links.append(try link(pair))
    }
    begin(1 + pairs.count, of: total, "memory, all ranks at once")
    try readTogether(hosts, &found)
    try rank.end()
    return Calibration(date: date.formatted(.iso8601), flotilla: version, hosts: found, links: links)
  }

  /// Measures the machine of each first rank, all at the same time.
  func machines(_ hosts: [[Int]]) throws -> [Calibration.Host] {
    let machines = try rank.command(
      Dictionary(uniqueKeysWithValues: hosts.map { ($0[0], CalibrationOrder.machine(options, ranks: $0)) }))
    return hosts.compactMap { ranks in
      guard case .machine(let host)? = machines[ranks[0]] else { return nil }
      return host
    }
  }

  func begin(_ done: Int, of total: Int, _ what: String) {
    rank.tick = { progress(done, total, what) }
    rank.tick()
  }

  /// Ranks of each host, ascending; hosts by their first rank.
  private func ranksByHost() -> [[Int]] {
    let exchange = rank.exchange
    let ranks = Dictionary(grouping: 0..<exchange.rankCount) { exchange.hostName(of: $0) }
    return ranks.values.sorted { $0[0] < $1[0] }
  }

  private func pairs() -> [(from: Int, to: Int)] {
    let count = rank.exchange.rankCount
    return (0..<count).flatMap { from in (from + 1..<max(count, from + 1)).map { (from, $0) } }
  }

  private func link(_ pair: (from: Int, to: Int)) throws -> Calibration.Link {
    try link(from: pair.from, to: pair.to, sizes: Self.messageSizes, isOneWay: false)
  }

  func link(from: Int, to: Int, sizes: [Int], isOneWay: Bool) throws -> Calibration.Link {
    let order = CalibrationOrder.link(to: to, sizes: sizes, seconds: options.linkSeconds, isOneWay: isOneWay)
    guard case .link(let messages)? = try rank.command([from: order])[from] else {
      throw CalibrationFailure("rank \(from): expected the times of messages, found another answer")
    }
    return Calibration.Link(from: from, to: to, messages: messages)
  }

  /// All ranks read at the same time, each with its share of the cores.
  private func readTogether(_ hosts: [[Int]], _ found: inout [Calibration.Host]) throws {
    guard hosts.contains(where: { $0.count > 1 }) else { return }
    var orders: [Int: CalibrationOrder] = [:]
    var threads: [Int] = []
    for (index, ranks) in hosts.enumerated() {
      threads.append(max(1, min(options.threads ?? .max, found[index].machine.cores / ranks.count)))
      for each in ranks { orders[each] = .prepare(options, sharers: ranks.count, threads: threads[index]) }
    }
    _ = try rank.command(orders)
    var sums = hosts.map { _ in [Double]() }
    for _ in 0..<options.repeats {
      let answers = try rank.command(orders.mapValues { _ in .read(seconds: Self.togetherSeconds) })
      for (index, ranks) in hosts.enumerated() {
        sums[index].append(ranks.reduce(0) { if case .read(let speed)? = answers[$1] { $0 + speed } else { $0 } })
      }
    }
    for (index, ranks) in hosts.enumerated() where ranks.count > 1 {
      found[index].readByAllRanks = Calibration.SharedSpeed(
        ranks: ranks.count, threadsPerRank: threads[index], best: sums[index].max() ?? 0,
        median: SampleStatistics.median(sums[index]) ?? 0)
    }
  }

  /// Long beside the moments in which ranks start and end.
  private static let togetherSeconds = 0.2
}
