import Inference

/// Nodes that are the same machine by what they are, not by how fast they were measured: so a faster measurement never
/// takes a candidate away from the search.
package struct NodeKinds {
  /// By kind, in an order of the cluster's nodes: its nodes.
  package let kinds: [[Int]]
  /// `[nodes]`: the kind of each.
  let kindOf: [Int]
  private let order: [Int]

  /// The last one takes all further kinds.
  static let most = 3

  private struct Key: Hashable {
    let cpu: String
    let numbers: [Int]
  }

  /// - Parameter order: all nodes; the first of a kind come first into a plan. Nil: the order of the cluster.
  package init(_ cluster: ClusterDescription, order: [Int]? = nil) {
    let order = order ?? Array(cluster.nodes.indices)
    var kinds: [[Int]] = []
    var kindOf = [Int](repeating: 0, count: cluster.nodes.count)
    var known: [Key: Int] = [:]
    for index in order {
      let node = cluster.nodes[index]
      let gibibytes = (node.memoryBytes.total + 1 << 29) >> 30
      let key = Key(cpu: node.cpu, numbers: [node.sockets, node.domains, node.cores, gibibytes])
      let kind = known[key] ?? min(kinds.count, Self.most - 1)
      known[key] = kind
      if kind == kinds.count { kinds.append([]) }
      kinds[kind].append(index)
      kindOf[index] = kind
    }
    (self.kinds, self.kindOf, self.order) = (kinds, kindOf, order)
  }

  /// How many nodes of each kind may be used: `[kinds]`, each from 0, fewest nodes first; only what may fit.
  ///
  /// One more node, of a kind that is there or of a new one, takes none of them away. So a number of nodes is never tried
  /// because it is all that there are: one kind alone is tried in all numbers up to 32, then eight in each doubling;
  /// several kinds in all numbers up to 16, then two. Beside those, the fewest that hold the model, and some more: of
  /// each kind with such numbers of the others, and of all nodes in their order.
  ///
  /// - Parameters:
  ///   - most: no more nodes of a kind have work.
  ///   - fits: whether so many of each may hold the model; more nodes never do less.
  package func choices(most: Int, fits: ([Int]) -> Bool) -> [[Int]] {
    var choices: Set<[Int]> = []
    let none = [Int](repeating: 0, count: kinds.count)
    let grids = kinds.map { Self.numbers(upTo: min($0.count, most), allUpTo: 16, inDoubling: 2) }
    for (kind, nodes) in kinds.enumerated() {
      for count in Self.numbers(upTo: min(nodes.count, most), allUpTo: 32, inDoubling: 8) {
        choices.insert(none.with(count, at: kind))
      }
    }
    func products(_ grids: [[Int]]) -> [[Int]] {
      grids.reduce([[]]) { lists, grid in lists.flatMap { list in grid.map { list + [$0] } } }
    }
    choices.formUnion(products(grids))
    for (kind, nodes) in kinds.enumerated() {
      var others = grids
      others[kind] = [0]
      for choice in products(others) {
        guard let least = Self.least(nodes.count, { fits(choice.with($0, at: kind)) }) else { continue }
        let some = least...min(nodes.count, least + max(2, least / 8))
        choices.formUnion(some.map { choice.with($0, at: kind) })
      }
    }
    let prefixes = order.map { kindOf[$0] }.reduce(into: [none]) { list, kind in
      let last = list[list.count - 1]
      list.append(last.with(last[kind] + 1, at: kind))
    }
    if let least = Self.least(kindOf.count, { fits(prefixes[$0]) }) {
      choices.formUnion(prefixes[least...min(kindOf.count, least + max(2, least / 8))])
    }
    return choices.filter { $0.contains { $0 > 0 } && fits($0) }
      .sorted { ($0.reduce(0, +), $1.description) < ($1.reduce(0, +), $0.description) }
  }

  /// From 0 to `total`: all up to a number, then so many in each doubling.
  private static func numbers(upTo total: Int, allUpTo dense: Int, inDoubling: Int) -> [Int] {
    var numbers = Array(0...min(total, dense))
    var (next, step) = (dense, dense / inDoubling)
    while next + step <= total {
      next += step
      numbers.append(next)
      if next == step * 2 * inDoubling { step *= 2 }
    }
    return numbers
  }

  /// The least number that fits; nil where `most` does not.
  private static func least(_ most: Int, _ fits: (Int) -> Bool) -> Int? {
    guard fits(most) else { return nil }
    var (low, high) = (0, most)
    while low < high {
      let middle = (low + high) / 2
      if fits(middle) { high = middle } else { low = middle + 1 }
    }
    return low
  }

  /// The first so many nodes of each kind; as the cluster has them.
  func nodes(_ choice: [Int]) -> [Int] { zip(kinds, choice).flatMap { $0.prefix($1) }.sorted() }
}

extension [Int] {
  fileprivate func with(_ value: Int, at place: Int) -> [Int] {
    var list = self
    list[place] = value
    return list
  }
}
