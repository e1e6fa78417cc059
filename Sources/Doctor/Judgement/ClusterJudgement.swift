import Nodes

/// What is wrong between nodes, as far as their own words tell.
struct ClusterJudgement {
  let examination: Examination

  private var nodes: [(name: String, facts: NodeFacts)] {
    examination.nodes.compactMap { node in node.facts.map { (node.name, $0) } }
  }
  /// The address range that MPI was bound to.
  private var range: NetworkRange? { (examination.network?.range).flatMap { NetworkRange($0) } }

  var findings: [Finding] {
    guard examination.nodes.count > 1 else { return [] }
    return names + congestion + networks + nodes.flatMap(routes)
  }

  /// Ranks tell hosts apart by name.
  private var names: [Finding] {
    let groups = Dictionary(grouping: nodes, by: \.facts.hostName).filter { $0.value.count > 1 }
    return groups.sorted { $0.key < $1.key }.map { name, nodes in
      Finding(
        .amber, .names, "\(Amount.list(nodes.map(\.name))) all call themselves \(name)",
        advice: "if they are different machines, give each a name of its own with hostnamectl: ranks of one name share "
          + "out its cores and memory")
    }
  }

  private var congestion: [Finding] {
    let found = Set(nodes.compactMap(\.facts.machine.congestionControl)).sorted()
    guard found.count > 1 else { return [] }
    return [
      Finding(
        .amber, .congestion, "nodes differ: \(found.joined(separator: ", "))",
        advice: "the same net.ipv4.tcp_congestion_control on every node, so that links can be compared")
    ]
  }

  // MARK: Networks

  private var networks: [Finding] {
    guard let range else { return doubled + uncommon }
    let outside = nodes.filter { node in !Self.addresses(of: node.facts).contains { range.contains($0.address) } }
    return outside.map {
      Finding(
        .red, .network, "no address in \(range)",
        advice: "--network takes the range that all nodes share; it has \(Self.ranges(of: $0.facts))", node: $0.name)
    } + doubled
  }

  /// The same address on several nodes, as bridges of container engines have them: MPI may try to reach a node there,
  /// and must where it is bound to that range. Outside of the range nobody goes.
  private var doubled: [Finding] {
    let shared = holders.filter { $0.value.count > 1 && range?.contains($0.key) != false }.sorted { $0.key < $1.key }
    guard let first = shared.first else { return [] }
    let more = shared.count > 1 ? " (and \(shared.count - 1) more addresses)" : ""
    let text = "\(first.key) belongs to \(Amount.list(first.value))\(more)"
    let way = "bind it to the right network with --network " + (common.first ?? "RANGE")
    guard range != nil else {
      return [Finding(.amber, .network, text, advice: "MPI may take it for a way to another node: \(way)")]
    }
    return [Finding(.red, .network, text + ", and MPI is bound to it", advice: "it leads to no other node: \(way)")]
  }

  /// By address: the nodes that have it.
  private var holders: [String: [String]] {
    var holders: [String: [String]] = [:]
    for node in nodes {
      for address in Set(Self.addresses(of: node.facts).map(\.address)) {
        holders[address, default: []].append(node.name)
      }
    }
    return holders
  }

  /// Networks that every node has an address in, another one each.
  private var common: [String] {
    let own = holders.filter { $0.value.count == 1 }
    let sets = nodes.map { node in
      Set(Self.addresses(of: node.facts).filter { $0.isIPv4 && own[$0.address] != nil }.map(\.network))
    }
    guard let first = sets.first else { return [] }
    return sets.dropFirst().reduce(first) { $0.intersection($1) }.sorted()
  }

  private var uncommon: [Finding] {
    let all = Set(nodes.flatMap { Self.addresses(of: $0.facts).filter(\.isIPv4).map(\.network) })
    guard nodes.count > 1 else { return [] }
    guard let best = common.first else {
      return [
        Finding(
          .amber, .network, "no network that all nodes have an address in: \(Amount.list(all.sorted()))",
          advice: "right where routers join them; else check addresses and cables")
      ]
    }
    let others = all.subtracting(common).sorted()
    guard common.count > 1 || !others.isEmpty else { return [Finding(.green, .network, "all nodes share \(best)")] }
    let text =
      others.isEmpty
      ? "all nodes share several networks: \(Amount.list(common))"
      : "all nodes share \(Amount.list(common)); only some have \(Amount.list(others))"
    return [
      Finding(
        .amber, .network, text,
        advice: "MPI tries them all: bind it to the fastest that all share, as --network \(best)")
    ]
  }

  private static func addresses(of facts: NodeFacts) -> [NetworkAddress] {
    facts.interfaces.filter { !$0.isLoopback }.flatMap(\.addresses)
  }

  private static func ranges(of facts: NodeFacts) -> String {
    let networks = Set(addresses(of: facts).map(\.network)).sorted()
    return networks.isEmpty ? "none" : Amount.list(networks)
  }

  // MARK: Ways

  private func routes(_ node: (name: String, facts: NodeFacts)) -> [Finding] {
    let others = node.facts.routes
    guard !others.isEmpty else { return [] }
    var findings: [Finding] = []
    let loops = others.filter { isLoopback($0.address) && !isSame(node.name, $0.peer) }
    if let first = loops.first {
      findings.append(
        Finding(
          .red, .network, "takes \(Amount.list(loops.map(\.peer))) for itself: \(first.address ?? "")",
          advice: "mend /etc/hosts there: the name of another node must not stand for 127.*"))
    }
    let unknown = others.filter { $0.address == nil }.map(\.peer)
    if !unknown.isEmpty {
      findings.append(
        Finding(
          .amber, .network, "does not know the name\(unknown.count == 1 ? "" : "s") \(Amount.list(unknown))",
          advice: "the same /etc/hosts or name server on every node"))
    }
    let lost = others.filter { $0.address != nil && $0.interface == nil && !isLoopback($0.address) }.map(\.peer)
    if !lost.isEmpty {
      findings.append(
        Finding(
          .red, .network, "has no way to \(Amount.list(lost))", advice: "check addresses and routes there: ip route"))
    }
    let names = Set(others.filter { !isLoopback($0.address) }.compactMap(\.interface)).sorted()
    let used = names.compactMap { name in node.facts.interfaces.first { $0.name == name } }
    if used.count > 1 {
      findings.append(
        Finding(
          .amber, .network, "reaches the others over several interfaces: \(names.joined(separator: ", "))",
          advice: "name nodes by addresses of one network in the hostfile"))
    } else if let interface = used.first {
      findings.append(way(interface))
    }
    return findings.map { finding in
      var finding = finding
      finding.node = node.name
      return finding
    }
  }

  private func way(_ interface: NetworkInterface) -> Finding {
    let speed = interface.bitsPerSecond.map { ", \(Amount.bits(Double($0)))" } ?? ""
    let address = interface.addresses.first.map { " (\($0.address)/\($0.prefix)\(speed))" } ?? ""
    let text = "\(interface.name)\(address) leads to the other nodes"
    guard interface.isWireless else { return Finding(.green, .network, text) }
    return Finding(
      .amber, .network, "\(text): a wireless one", advice: "use a cable: each token waits for many messages")
  }

  private func isLoopback(_ address: String?) -> Bool {
    guard let address else { return false }
    return address.hasPrefix("127.") || address == "::1"
  }

  /// Whether two names of the hostfile are one machine.
  private func isSame(_ name: String, _ other: String) -> Bool {
    func hostName(_ name: String) -> String? {
      examination.nodes.first { NodeName.host($0.name) == name || $0.name == name }?
        .facts?.hostName
    }
    return name == other || (hostName(name) != nil && hostName(name) == hostName(other))
  }
}
