import Foundation

/// What a job of one rank on each node has measured.
public struct ClusterMeasurement: Codable, Sendable, Equatable {
  /// One rank, that is one node.
  public struct Rank: Codable, Sendable, Equatable {
    public var hostName: String
    /// What crossed its network interfaces while links were measured, the busiest first.
    public var carried: [InterfaceCount]
    /// Nil where that was not measured.
    public var messageCost: Calibration.MessageCost?

    public init(hostName: String, carried: [InterfaceCount], messageCost: Calibration.MessageCost? = nil) {
      self.hostName = hostName
      self.carried = carried
      self.messageCost = messageCost
    }
  }

  /// From a rank to another, while all others were quiet.
  public struct Link: Codable, Sendable, Equatable {
    public var from: Int
    public var to: Int
    /// Half the round trip of a short message.
    public var latencySeconds: Double
    /// Of a long message in this direction, its latency not counted.
    public var bytesPerSecond: Double

    public init(from: Int, to: Int, latencySeconds: Double, bytesPerSecond: Double) {
      self.from = from
      self.to = to
      self.latencySeconds = latencySeconds
      self.bytesPerSecond = bytesPerSecond
    }
  }

  /// Of the MPI library.
  public var mpi: String
  public var ranks: [Rank]
  /// By rank; empty where only links were measured.
  public var machines: [Calibration.Host]
  /// Every ordered pair of ranks.
  public var links: [Link]

  public init(mpi: String, ranks: [Rank], machines: [Calibration.Host], links: [Link]) {
    self.mpi = mpi
    self.ranks = ranks
    self.machines = machines
    self.links = links
  }
}

extension Calibrator {
  /// Sizes of messages, bytes: one that shows the latency, one that shows the bandwidth of links up to 100 Gbit/s.
  static let linkSizes = [64, 1 << 20]

  /// Measures every link in both directions, one at a time, each rank taken for a node of its own whatever its host
  /// is called; if asked to, every machine before that, and what messages cost the machines afterwards.
  ///
  /// - Throws: ``CalibrationFailure``, `Interrupted`, and what the exchange throws.
  public func cluster(mpi: String, includesMachines: Bool) throws -> ClusterMeasurement {
    let exchange = rank.exchange
    let count = exchange.rankCount
    let isWhole = includesMachines && count > 1
    let total = (includesMachines ? 1 : 0) + count * (count - 1) + (isWhole ? count : 0)
    var done = 0
    var machines: [Calibration.Host] = []
    if includesMachines {
      begin(done, of: total, "memory and arithmetic")
      machines = try self.machines((0..<count).map { [$0] })
      done += 1
    }
    let before = try counters()
    var links: [ClusterMeasurement.Link] = []
    for from in 0..<count {
      for to in 0..<count where to != from {
        begin(done, of: total, "messages from rank \(from) to rank \(to)")
        links.append(
          ClusterMeasurement.Link(try link(from: from, to: to, sizes: Self.linkSizes, isOneWay: true)))
        done += 1
      }
    }
    for index in ClusterMeasurement.Link.standingOut(links) {
      let (from, to) = (links[index].from, links[index].to)
      begin(done, of: total, "messages from rank \(from) to rank \(to) once more")
      links[index] = links[index].better(
        ClusterMeasurement.Link(try link(from: from, to: to, sizes: Self.linkSizes, isOneWay: true)))
    }
    let after = try counters()
    var costs = [Calibration.MessageCost?](repeating: nil, count: count)
    if isWhole {
      costs = try messageCosts { begin(done + $0, of: total, "messages while ranks \($0) and \($1) compute") }
    }
    try rank.end()
    let ranks = (0..<count).map { rank in
      ClusterMeasurement.Rank(
        hostName: exchange.hostName(of: rank), carried: InterfaceCount.growth(from: before[rank], to: after[rank]),
        messageCost: costs[rank])
    }
    return ClusterMeasurement(mpi: mpi, ranks: ranks, machines: machines, links: links)
  }

  /// By rank.
  private func counters() throws -> [[InterfaceCount]] {
    let ranks = 0..<rank.exchange.rankCount
    let answers = try rank.command(Dictionary(uniqueKeysWithValues: ranks.map { ($0, .counters) }))
    return ranks.map { if case .counters(let counts)? = answers[$0] { counts } else { [] } }
  }
}

extension ClusterMeasurement.Link {
  /// Positions of links that are much slower than most: other work on a node may have been in their way, so they deserve
  /// a second measurement.
  package static func standingOut(_ links: [Self]) -> [Int] {
    guard links.count > 2, let latency = SampleStatistics.median(links.map(\.latencySeconds)),
      let bandwidth = SampleStatistics.median(links.map(\.bytesPerSecond))
    else { return Array(links.indices) }
    return links.indices.filter {
      links[$0].bytesPerSecond < bandwidth / 2 || links[$0].latencySeconds > 2 * latency
    }
  }

  /// The lower latency and the higher bandwidth of two measurements.
  package func better(_ other: Self) -> Self {
    Self(
      from: from, to: to, latencySeconds: min(latencySeconds, other.latencySeconds),
      bytesPerSecond: max(bytesPerSecond, other.bytesPerSecond))
  }

  /// The bandwidth is that of the bytes by which the messages differ, over the time by which they do.
  package init(_ link: Calibration.Link) {
    let (short, long) = (link.messages[0], link.messages[link.messages.count - 1])
    let seconds = max(long.p50Seconds - short.p50Seconds, long.p50Seconds / 100)
    self.init(
      from: link.from, to: link.to, latencySeconds: short.p50Seconds,
      bytesPerSecond: Double(long.bytes - short.bytes) / seconds)
  }
}
