import Inference
import Planning

/// Neighbouring nodes that hold the same, as one line.
struct FitGroup {
  let nodes: [Int]
  /// Of each of them.
  let fit: NodeFit
  /// Roles and number of ranks, for people.
  let does: String

  func names(_ cluster: ClusterDescription) -> String { Self.names(nodes, cluster) }

  /// Nodes in whatever order, neighbours of the cluster as one range.
  static func ranges(_ nodes: [Int], _ cluster: ClusterDescription) -> String {
    var runs: [[Int]] = []
    for node in nodes.sorted() {
      if let last = runs.last?.last, last + 1 == node {
        runs[runs.count - 1].append(node)
      } else {
        runs.append([node])
      }
    }
    return runs.map { names($0, cluster) }.joined(separator: ", ")
  }

  private static func names(_ nodes: [Int], _ cluster: ClusterDescription) -> String {
    func name(_ node: Int) -> String { printable(cluster.nodes[node].name, limit: 40) }
    guard let first = nodes.first, let last = nodes.last, nodes.count > 1 else { return nodes.first.map(name) ?? "" }
    return nodes.count == 2 ? "\(name(first)), \(name(last))" : "\(name(first)) to \(name(last)) (\(nodes.count))"
  }

  /// In the order of ranks.
  static func groups(_ plan: Plan) -> [FitGroup] {
    var groups: [FitGroup] = []
    let fits = Dictionary(uniqueKeysWithValues: plan.fits.map { ($0.node, $0) })
    for node in plan.nodesInOrder {
      guard let fit = fits[node] else { continue }
      let does = roles(fit, plan)
      if let last = groups.last, last.does == does, isAlike(last.fit, fit) {
        groups[groups.count - 1] = FitGroup(nodes: last.nodes + [node], fit: last.fit, does: does)
      } else {
        groups.append(FitGroup(nodes: [node], fit: fit, does: does))
      }
    }
    return groups
  }

  private static func isAlike(_ a: NodeFit, _ b: NodeFit) -> Bool {
    a.bytes == b.bytes && a.experts == b.experts && a.capacity == b.capacity
  }

  private static func roles(_ fit: NodeFit, _ plan: Plan) -> String {
    var roles: [String] = []
    if fit.ranks.contains(plan.placement.coordinator) { roles.append("coordinator") }
    if fit.ranks.contains(plan.placement.router) { roles.append("router") }
    if fit.experts > 0 { roles.append("experts") }
    if fit.ranks.contains(where: plan.placement.slices.contains) { roles.append("slices") }
    let ranks = fit.ranks.count
    return roles.joined(separator: ", ") + (ranks > 1 ? ", \(ranks) ranks" : "")
  }
}
