import Inference

/// Nodes that are the same machine by what they are, not by how fast they were measured: so a faster measurement never
/// takes a candidate away from the search.
struct NodeKinds {
  /// By kind, in the order of the cluster: its nodes, ascending.
  let kinds: [[Int]]

  /// The last one takes all further kinds.
  static let most = 3

  private struct Key: Hashable {
    let cpu: String
    let numbers: [Int]
  }

  init(_ cluster: ClusterDescription) {
    var kinds: [[Int]] = []
    var known: [Key: Int] = [:]
    for (index, node) in cluster.nodes.enumerated() {
      let gibibytes = (node.memoryBytes.total + 1 << 29) >> 30
      let key = Key(cpu: node.cpu, numbers: [node.sockets, node.domains, node.cores, gibibytes])
      let kind = known[key] ?? min(kinds.count, Self.most - 1)
      known[key] = kind
      if kind == kinds.count { kinds.append([]) }
      kinds[kind].append(index)
    }
    self.kinds = kinds
  }

  /// How many nodes of each kind may be used: `[kinds]`, each from 0, fewest nodes first; never none in all.
  var choices: [[Int]] {
    var choices: [[Int]] = [[]]
    for kind in kinds { choices = choices.flatMap { choice in counts(kind.count).map { choice + [$0] } } }
    return choices.filter { $0.contains { $0 > 0 } }
      .sorted { ($0.reduce(0, +), $1.description) < ($1.reduce(0, +), $0.description) }
  }

  /// All counts of one kind up to 64; of several kinds up to 8, then fewer and fewer.
  private func counts(_ total: Int) -> [Int] {
    let dense = kinds.count == 1 ? 64 : 8
    var counts = Array(0...min(total, dense))
    var next = dense
    while next < total {
      next += max(1, next / 8)
      counts.append(min(next, total))
    }
    return counts
  }

  /// The first so many nodes of each kind, ascending.
  func nodes(_ choice: [Int]) -> [Int] { zip(kinds, choice).flatMap { $0.prefix($1) }.sorted() }
}
