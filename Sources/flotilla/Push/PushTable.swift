import Checkpoint
import ExpertParallel
import Push
import Reporting

/// Which node holds what, for people.
struct PushTable {
  let request: PushRequest
  let states: [NodeState]

  var text: String {
    var table = TextTable([
      .init("Node", .left), .init("Ranks", .left), .init("Roles", .left), .init("Bundles", .left),
      .init("Copies", .left),
      .init("Bytes"), .init("There"), .init("To send"),
    ])
    let plan = request.plan
    for (node, state) in zip(plan.nodes, states) {
      let bytes = plan.bytes(of: node.bundles)
      table.append([
        printable(node.host, limit: 40), ExpertRanges.text(node.ranks, most: 4), node.roles.joined(separator: ", "),
        BundleName.list(node.needed, most: 4), BundleName.list(node.copies, most: 4), Format.bytes(bytes),
        state.present.map(Format.bytes) ?? Format.none, toSend(state),
      ])
    }
    let all = plan.nodes.reduce(0) { $0 + plan.bytes(of: $1.bundles) }
    table.append(["all", "", "", "", "", Format.bytes(all), "", ""])
    let columns = plan.nodes.contains { !$0.copies.isEmpty }
    let title = "Push of \(request.manifest.formats) to \(printable(request.destination))"
    let lines = columns ? table.lines() : PushTable.without(4, table).lines()
    return ([title, ""] + lines.map { "  " + $0 }).joined(separator: "\n") + "\n"
  }

  private func toSend(_ state: NodeState) -> String {
    switch state.phase {
    case .sharesSource: "shares this folder"
    case .shares(let first): "shares it with \(printable(states[first].host, limit: 40))"
    default: state.present.map { Format.bytes(state.bytes - $0) } ?? Format.none
    }
  }

  private static func without(_ column: Int, _ table: TextTable) -> TextTable {
    func cut<T>(_ items: [T]) -> [T] { items.enumerated().filter { $0.offset != column }.map(\.element) }
    var narrow = TextTable(cut(table.columns))
    for row in table.rows { narrow.append(cut(row)) }
    return narrow
  }
}
