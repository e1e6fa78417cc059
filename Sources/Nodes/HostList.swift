/// Nodes as an option lists them: "a,b:2,c", with the number of ranks behind a colon.
extension Hostfile {
  /// - Parameter machine: the one that starts the ranks.
  /// - Returns: in the order in which ranks are counted; slots are 0 where the list gives none.
  /// - Throws: ``NodeError`` where a name is none, or two are of one machine.
  public static func hosts(list text: String, machine: LocalHost = .current) throws(NodeError) -> [Host] {
    func wrong(_ expected: String, _ found: String, _ hint: String = "as a,b:2,c") -> NodeError {
      NodeError("expected \(expected), found \(found)", hint: hint, isUsage: true)
    }
    var hosts: [Host] = []
    for word in text.split(separator: ",", omittingEmptySubsequences: false) {
      // Addresses of IPv6 have colons of their own.
      let parts = word.split(separator: ":", omittingEmptySubsequences: false)
      let name = String(parts.count == 2 ? parts[0] : word)
      let slots = parts.count == 2 ? Int(parts[1]) ?? -1 : 0
      guard !name.isEmpty, parts.count != 2 || (1...mostRanks).contains(slots) else {
        throw wrong(
          "names separated by commas, a number of ranks from 1 behind a colon or none", "\"\(text.prefix(200))\"")
      }
      var line = HostfileLine(file: "", number: 1, scalars: Array(name.unicodeScalars))
      let entry: (name: String, slots: Int?)?
      do { entry = try line.read() } catch { throw wrong(error.expected, error.found, error.hint) }
      guard entry?.name == name, entry?.slots == nil else {
        throw wrong("the name of a node", "\"\(name.prefix(40))\"")
      }
      if let first = hosts.first(where: { machine.isSame($0.name, name) }) {
        throw wrong(
          "each machine once", first.name == name ? "\(name) twice" : "\(first.name) and \(name), which are the same",
          "\(first.name):2 for two ranks there")
      }
      hosts.append(Host(name: name, slots: slots))
    }
    return Hostfile(hosts: hosts, machine: machine).hosts
  }
}
