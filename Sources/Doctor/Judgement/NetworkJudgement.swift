import Inference
import Nodes

/// What is wrong with the links that MPI uses, as measured.
struct NetworkJudgement {
  let network: Examination.Network
  let nodes: [Examination.Node]

  var findings: [Finding] {
    if let failure = network.failure { return connections + [job(failure)] }
    guard let measurement = network.measurement, measurement.ranks.count == nodes.count else { return connections }
    let count = measurement.ranks.count
    let job = Finding(.green, .job, "\(Amount.count(count, "node")), one rank each, worked together")
    return connections + [job] + measurement.ranks.indices.map { interface($0, measurement) } + links(measurement.links)
  }

  private func job(_ failure: Examination.Failure) -> Finding {
    Finding(.red, .job, "mpirun over all nodes failed: \(failure.text)", advice: failure.hint)
  }

  private var connections: [Finding] {
    let tried = network.connections
    let blocked = tried.filter(\.isBlocked)
    guard !blocked.isEmpty else {
      guard tried.contains(where: { $0.failure == nil }) else { return [] }
      return [Finding(.green, .network, "TCP on high ports gets through between nodes")]
    }
    return blocked.map { connection in
      Finding(
        .red, .network,
        "no TCP connection to \(connection.to)\(connection.address.map { " at \($0)" } ?? ""), port "
          + "\(connection.port): \(connection.failure ?? "")",
        advice: (connection.address == nil ? "" : "does \(network.range ?? "the range") lead to the other nodes? ")
          + "a firewall? mpirun and the ranks use ports that the system picks: allow all TCP between the nodes",
        node: connection.from)
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
    findings += nodes.indices.compactMap { weak($0, links) }
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
    return nil
  }

  /// Links that have less than half of what the interface was negotiated to.
  private func weak(_ rank: Int, _ links: [ClusterMeasurement.Link]) -> Finding? {
    guard let name = network.measurement?.ranks[rank].carried.first?.name,
      let negotiated = nodes[rank].facts?.interfaces.first(where: { $0.name == name })?.bitsPerSecond
    else { return nil }
    let weak = links.filter { $0.from == rank && 16 * $0.bytesPerSecond < Double(negotiated) }
    guard let worst = weak.min(by: { $0.bytesPerSecond < $1.bytesPerSecond }) else { return nil }
    return Finding(
      .amber, .links,
      "to \(Amount.list(weak.map { nodes[$0.to].name })): at worst \(Amount.bits(8 * worst.bytesPerSecond)) over an "
        + "interface of \(Amount.bits(Double(negotiated)))",
      advice: "a slower interface or switch on the way? other traffic? congestion control?", node: nodes[rank].name)
  }

  private static func median(_ values: [Double]) -> Double { SampleStatistics.median(values) ?? 0 }
}
