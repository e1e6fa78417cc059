import Checkpoint
import Push

/// The plan as JSON.
struct PushReport: Encodable {
  struct Node: Encodable {
    let node: String
    let ranks: [Int]
    let roles: [String]
    /// As `--bundles` of inspect takes them.
    let bundles: String
    let copies: String
    let bytes: Int
    let present: Int?
    let shares: String?
  }

  let event = "plan"
  let destination: String
  let nodes: [Node]
  let rsync: [String]?

  init(_ request: PushRequest, _ states: [NodeState], lines: [String]) {
    destination = request.destination
    rsync = lines.isEmpty ? nil : lines
    nodes = zip(request.plan.nodes, states).map { node, state in
      let shares: String? =
        switch state.phase {
        case .sharesSource: "source"
        case .shares(let first): states[first].host
        default: nil
        }
      return Node(
        node: node.host, ranks: node.ranks, roles: node.roles, bundles: BundleName.list(node.needed),
        copies: BundleName.list(node.copies), bytes: request.plan.bytes(of: node.bundles), present: state.present,
        shares: shares)
    }
  }
}

/// How far a node is, as JSON.
struct NodeProgress: Encodable {
  let event: String
  let node: String
  let phase: String
  let done: Int?
  let total: Int?
  let sent: Int
  let verifier: String?

  init(_ state: NodeState, event: String) {
    self.event = event
    node = state.host
    sent = state.sent
    verifier = state.verifier
    switch state.phase {
    case .sending(let done, let total): (phase, self.done, self.total) = ("sending", done, total)
    case .verifying(let done, let total): (phase, self.done, self.total) = ("verifying", done, total)
    case .waiting: (phase, done, total) = ("waiting", nil, nil)
    case .finished: (phase, done, total) = ("finished", nil, nil)
    case .sharesSource: (phase, done, total) = ("shares the source", nil, nil)
    case .shares: (phase, done, total) = ("shares another node's folder", nil, nil)
    case .failed: (phase, done, total) = ("failed", nil, nil)
    case .interrupted: (phase, done, total) = ("interrupted", nil, nil)
    }
  }
}

struct NodeWord: Encodable {
  let event: String
  let node: String
  let text: String
}

struct NodeDamage: Encodable {
  let event = "damage"
  let node: String
  let file: String
  let subject: String
  let expected: String
  let found: String

  init(_ node: String, _ damage: FileDamage) {
    self.node = node
    (file, subject, expected, found) = (damage.file, damage.subject, damage.expected, damage.found)
  }
}

struct PushEnd: Encodable {
  let event: String
  let nodes: Int
  let sent: Int
  let seconds: Double
  /// The line that runs what was pushed; nil where the folder's whole path is not known.
  let run: String?
}
