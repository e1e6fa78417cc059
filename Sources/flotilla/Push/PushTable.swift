import Checkpoint
import ExpertParallel
import Push
import Reporting

/// Which node holds what, for people.
struct PushTable {
  let request: PushRequest
  let states: [NodeState]

  var text: String {
    let plan = request.plan
    let hasCopies = plan.nodes.contains { !$0.copies.isEmpty }
    func copies<Cell>(_ cell: Cell) -> [Cell] { hasCopies ? [cell] : [] }
    var table = TextTable(
      [.init("Node", .left), .init("Ranks", .left), .init("Roles", .left), .init("Bundles", .left)]
        + copies(.init("Copies", .left)) + [.init("Bytes"), .init("There"), .init("To send")])
    for (node, state) in zip(plan.nodes, states) {
      table.append(
        [
          printable(node.host, limit: 40), ExpertRanges.text(node.ranks, most: 4), node.roles.joined(separator: ", "),
          BundleName.list(node.needed, most: 4),
        ] + copies(BundleName.list(node.copies, most: 4)) + [
          Format.bytes(plan.bytes(of: node.bundles)), state.present.map(Format.bytes) ?? Format.none, toSend(state),
        ])
    }
    let all = plan.nodes.reduce(0) { $0 + plan.bytes(of: $1.bundles) }
    table.append(["all", "", "", ""] + copies("") + [Format.bytes(all), "", ""])
    let title = "Push of \(request.manifest.formats) to \(printable(request.destination))"
    return ([title, ""] + table.lines().map { "  " + $0 }).joined(separator: "\n") + "\n"
  }

  private func toSend(_ state: NodeState) -> String {
    switch state.phase {
    case .sharesSource: "shares this folder"
    case .shares(let first): "shares it with \(printable(states[first].host, limit: 40))"
    default: state.present.map { Format.bytes(state.bytes - $0) } ?? Format.none
    }
  }
}
