import Checkpoint

/// How many experts each rank gets, and which.
enum ExpertShares {
  /// Divides `total` in proportion to weights, none above its cap; what a capped one cannot take goes to the others.
  ///
  /// - Returns: nil where they cannot take all.
  static func divide(_ total: Int, weights: [Double], caps: [Int]) -> [Int]? {
    var counts = [Int](repeating: 0, count: weights.count)
    var open = weights.indices.filter { weights[$0] > 0 && caps[$0] > 0 }
    var left = total
    while left > 0 {
      let sum = open.reduce(0) { $0 + weights[$1] }
      guard !open.isEmpty else { return nil }
      let full = open.filter { Double(left) * weights[$0] / sum >= Double(caps[$0]) }
      guard !full.isEmpty else { break }
      for index in full { counts[index] = caps[index] }
      left -= full.reduce(0) { $0 + caps[$1] }
      open.removeAll { full.contains($0) }
    }
    guard left > 0 else { return left == 0 ? counts : nil }
    let sum = open.reduce(0) { $0 + weights[$1] }
    let ideal = open.map { Double(left) * weights[$0] / sum }
    for (index, share) in zip(open, ideal) { counts[index] = Int(share) }
    left -= open.reduce(0) { $0 + counts[$1] }
    // Largest remainders first.
    let remainders = ideal.map { $0 - $0.rounded(.down) }
    let order = open.indices.sorted { (remainders[$1], $0) < (remainders[$0], $1) }
    for place in order.prefix(left) { counts[open[place]] += 1 }
    return counts
  }

  /// `[experts]`: the order in which ranks take experts, each a run of it.
  ///
  /// A rank's run crosses `spread` routing groups: with 1 it is contiguous and a token reaches few ranks, with all groups
  /// it holds a stripe of each, so that the chosen experts of a token fall on many ranks. Within a group a stripe is
  /// contiguous: neighbours come back as one row.
  static func order(_ configuration: ModelConfiguration, spread: Int) -> [Int] {
    let size = configuration.expertsPerGroup
    var order: [Int] = []
    for first in stride(from: 0, to: configuration.groups, by: spread) {
      let groups = first..<min(first + spread, configuration.groups)
      for offset in 0..<size { order += groups.map { $0 * size + offset } }
    }
    return order
  }

  /// Powers of two that divide the groups, and all of them.
  static func spreads(_ configuration: ModelConfiguration) -> [Int] {
    let powers = sequence(first: 1) { $0 * 2 }.prefix { $0 < configuration.groups && configuration.groups % $0 == 0 }
    return Array(powers) + [configuration.groups]
  }

  /// `[experts]`: the owner of each, where ranks take so many in turn.
  static func owners(_ counts: [Int], order: [Int]) -> [Int] {
    var owners = [Int](repeating: 0, count: order.count)
    var next = 0
    for (rank, count) in counts.enumerated() {
      for place in next..<next + count { owners[order[place]] = rank }
      next += count
    }
    return owners
  }
}
