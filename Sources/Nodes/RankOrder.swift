/// How `mpirun --map-by` deals ranks out to nodes when it fills all their slots.
public enum RankOrder: String, Sendable, CaseIterable {
  /// Round the nodes, one rank each, leaving out those whose slots are full.
  case node
  /// Node after node, each filled.
  case slot

  /// `[hosts]`: the ranks of each host, ascending.
  public func ranks(of hosts: [Hostfile.Host]) -> [[Int]] {
    var ranks = [[Int]](repeating: [], count: hosts.count)
    var next = 0
    switch self {
    case .slot:
      for (index, host) in hosts.enumerated() {
        ranks[index] = Array(next..<next + host.slots)
        next += host.slots
      }
    case .node:
      for round in 0..<(hosts.map(\.slots).max() ?? 0) {
        for index in hosts.indices where hosts[index].slots > round {
          ranks[index].append(next)
          next += 1
        }
      }
    }
    return ranks
  }
}
