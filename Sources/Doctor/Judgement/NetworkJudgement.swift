import Inference

/// What is wrong with the links that MPI uses, as measured.
struct NetworkJudgement {
  let network: Examination.Network
  let nodes: [Examination.Node]

  var findings: [Finding] {
    if let failure = network.failure { return [job(failure)] + connections }
    guard let measurement = network.measurement, measurement.ranks.count == nodes.count else { return [] }
    let count = measurement.ranks.count
    let job = Finding(.green, .job, "\(Amount.count(count, "node")), one rank each, worked together")
    return [job] + measurement.ranks.indices.map { interface($0, measurement) } + links(measurement.links)
  }

  private func job(_ failure: Examination.Failure) -> Finding {
    Finding(.red, .job, "mpirun over all nodes failed: \(failure.text)", advice: failure.hint)
  }

  private var connections: [Finding] {
    let tried = network.connections
    guard !tried.isEmpty else { return [] }
    let failed = tried.filter { $0.failure != nil }
    guard !failed.isEmpty else {
      return [
        Finding(
          .green, .network, "TCP on high ports works between all nodes: no firewall stands between them")
      ]
    }
    return failed.map { try_ in
      let reason = try_.failure ?? ""
      return Finding(
        .red, .network, "no TCP connection to \(try_.to), port \(try_.port): \(reason)",
        advice: reason.contains("name")
          ? "the same /etc/hosts or name server on every node"
          : "a firewall? mpirun and the ranks use ports that the system picks: allow all TCP between the nodes",
        node: try_.from)
    }
  }

  // MARK: Interfaces

  private func interface(_ rank: Int, _ measurement: ClusterMeasurement) -> Finding {
    let node = nodes[rank]
    func finding(_ grade: Grade, _ text: String, _ advice: String = "") -> Finding {
      Finding(grade, .interface, text, advice: advice, node: node.name)
    }
    let carried = measurement.ranks[rank].carried
    let total = carried.reduce(0) { $0 + $1.bytes }
    guard let main = carried.first, total > Self.leastBytes * (nodes.count - 1) else {
      return finding(.green, "MPI used no IP interface: InfiniBand, or memory that ranks share")
    }
    let known = node.facts?.interfaces.first { $0.name == main.name }
    let speed = known?.bitsPerSecond.map { ", \(Amount.bits(Double($0)))" } ?? ""
    let text = "MPI used \(main.name)\(speed)"
    let advice = "bind MPI to the right network with --network RANGE"
    if known?.isLoopback == true {
      guard hostNames.count == nodes.count else { return finding(.green, "\(text): these nodes are one machine") }
      return finding(.red, "\(text), the loopback, for messages to other nodes", advice)
    }
    if let range = network.range.flatMap({ NetworkRange($0) }), let known,
      !known.addresses.contains(where: { range.contains($0.address) })
    {
      return finding(.red, "\(text), which has no address in \(range)", advice)
    }
    if let second = carried.dropFirst().first, second.bytes * 4 > main.bytes {
      return finding(.amber, "MPI used several interfaces: \(main.name), \(second.name)", advice)
    }
    if let own = known?.bitsPerSecond,
      let faster = node.facts?.interfaces.first(where: { ($0.bitsPerSecond ?? 0) > own && !$0.isLoopback })
    {
      let range = faster.addresses.first?.network ?? "RANGE"
      return finding(
        .amber, "\(text); \(faster.name) has \(Amount.bits(Double(faster.bitsPerSecond ?? 0)))",
        "if it leads to the other nodes too: --network \(range)")
    }
    if known?.isWireless == true { return finding(.amber, "\(text), a wireless one", "use a cable") }
    return finding(.green, text)
  }

  /// The job sends each neighbour messages of more bytes than that.
  private static let leastBytes = 1 << 20

  private var hostNames: Set<String> { Set(nodes.compactMap { $0.facts?.hostName }) }

  // MARK: Links

  private func links(_ links: [ClusterMeasurement.Link]) -> [Finding] {
    guard !links.isEmpty else { return [] }
    let bandwidth = Self.median(links.map(\.bytesPerSecond))
    let latency = Self.median(links.map(\.latencySeconds))
    var findings = links.compactMap { judge($0, bandwidth, latency) }
    let summary =
      "\(Amount.bits(8 * bandwidth)) and \(Amount.seconds(latency)) in the median of \(Amount.count(links.count, "link"))"
    if bandwidth < Self.slowBytesPerSecond {
      findings.append(
        Finding(
          .amber, .links, "\(summary): slow for this work", advice: "100 Mbit/s somewhere, or a wireless link? ethtool")
      )
    } else if findings.isEmpty {
      findings.append(Finding(.green, .links, summary))
    }
    return findings
  }

  /// Less than 1 Gbit/s gives in practice.
  private static let slowBytesPerSecond = 50e6

  private func judge(_ link: ClusterMeasurement.Link, _ bandwidth: Double, _ latency: Double) -> Finding? {
    let (from, to) = (nodes[link.from], nodes[link.to])
    let speed = Amount.bits(8 * link.bytesPerSecond)
    func finding(_ grade: Grade, _ text: String) -> Finding {
      Finding(
        grade, .links, "to \(to.name): \(text)",
        advice: "check cable, port and interface of both: ethtool; see which interface MPI used above", node: from.name)
    }
    if link.bytesPerSecond < bandwidth / 3 {
      let isLost = link.bytesPerSecond < bandwidth / 10
      return finding(isLost ? .red : .amber, "\(speed), where the others have \(Amount.bits(8 * bandwidth))")
    }
    if link.latencySeconds > max(5 * latency, latency + 20e-6) {
      return finding(
        .amber, "\(Amount.seconds(link.latencySeconds)), where the others have \(Amount.seconds(latency))")
    }
    if let negotiated = negotiated(from, link.from), 8 * link.bytesPerSecond < Double(negotiated) / 2 {
      return finding(.amber, "\(speed) over an interface of \(Amount.bits(Double(negotiated)))")
    }
    return nil
  }

  private func negotiated(_ node: Examination.Node, _ rank: Int) -> Int? {
    guard let name = network.measurement?.ranks[rank].carried.first?.name else { return nil }
    return node.facts?.interfaces.first { $0.name == name }?.bitsPerSecond
  }

  private static func median(_ values: [Double]) -> Double { SampleStatistics.median(values) ?? 0 }
}
