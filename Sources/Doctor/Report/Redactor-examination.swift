import Nodes

// Names go before anything is judged: findings then speak of nodes by their new names, and no word of theirs is taken for
// a host that happens to be called so.

extension Redactor {
  init(_ examination: Examination) {
    self.init()
    for (index, node) in examination.nodes.enumerated() {
      let parts = node.name.split(separator: "@").map(String.init)
      if parts.count == 2 { add(user: parts[0]) }
      for name in [NodeName.host(node.name), node.facts?.hostName, node.shell?.hostName] {
        if let name { add(host: name, "node-\(index + 1)") }
      }
    }
    addThisMachine()
  }
}
