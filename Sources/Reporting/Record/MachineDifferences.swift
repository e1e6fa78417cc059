import Inference

/// In what the machines of a run differ from those that a description of a cluster puts in their place.
public struct MachineDifferences {
  /// A clause each; none where nothing differs that a record knows.
  public let texts: [String]

  /// - Parameter nodes: of the description, by rank.
  public init(of record: RunRecord, _ cluster: ClusterDescription, _ nodes: [Int]) {
    var texts: [String] = []
    let coordinator = record.ranks.firstIndex { $0.roles.contains("coordinator") } ?? 0
    let node = cluster.nodes[nodes[coordinator]]
    if let machine = record.surroundings?.machine, machine.cpu != node.cpu {
      texts.append("the coordinator's processor was \(machine.cpu), and is \(node.cpu) there")
    }
    let (ran, described) = (Self.shares(record.ranks.map(\.host)), Self.shares(nodes))
    if ran.count != described.count {
      texts.append("the run was on \(Self.hosts(ran.count)), and is on \(Self.hosts(described.count)) there")
    }
    if ran != described {
      texts.append("ranks on a host were \(Self.list(ran)), and are \(Self.list(described)) there")
    }
    self.texts = texts
  }

  /// How many ranks each host has, the most first.
  private static func shares(_ hosts: [some Hashable]) -> [Int] {
    Dictionary(grouping: hosts) { $0 }.values.map(\.count).sorted(by: >)
  }

  private static func hosts(_ count: Int) -> String { "\(count) host\(count == 1 ? "" : "s")" }

  private static func list(_ counts: [Int]) -> String {
    counts.prefix(8).map(String.init).joined(separator: ", ") + (counts.count > 8 ? ", …" : "")
  }
}
