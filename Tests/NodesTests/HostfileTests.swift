import Foundation
import Nodes
import TestSupport
import Testing

@Suite("Hostfile")
struct HostfileTests {
  /// A machine with two addresses, to one of which a name leads.
  static let machine = LocalHost(name: "vm.lab.example", addresses: ["127.0.0.1", "10.0.0.5"]) { name in
    name == "alias" ? ["10.0.0.5"] : ["10.9.9.9"]
  }

  private func hosts(_ text: String) throws -> [Hostfile.Host] {
    try Hostfile(text: text, file: "hosts", machine: Self.machine).hosts
  }

  @Test("What mpirun takes")
  func taken() throws {
    let text =
      "# lab\n\nn0 slots=1\n\tn1  slots = 2 max_slots=3 # two\r\nroot@10.0.0.7 max-slots=2\nfe80::1 slots=1\nn0\nn9 slots=0"
    #expect(
      try hosts(text) == [
        .init(name: "n0", slots: 2), .init(name: "n1", slots: 2), .init(name: "root@10.0.0.7", slots: 2),
        .init(name: "fe80::1", slots: 1),
      ])
  }

  @Test(
    "What it would not take, or not as it stands: line, column, and what was expected",
    arguments: [
      ("n0 slots=1\nn1\n", 2, 1, "slots=N behind n1"),
      ("n0 slots=1\nn0 slots=1", 2, 1, "the name n0 once"),
      ("n0 slots=x", 1, 10, "a number from 0 to 65536"),
      ("n0 slots=99999999", 1, 10, "a number from 0 to 65536"),
      ("n0 slots=", 1, 10, "a number behind slots="),
      ("n0 slots 2", 1, 10, "= behind slots"),
      ("n0 slots=1 slots=2", 1, 12, "slots once"),
      ("n0 slots=3 max_slots=2", 1, 22, "max_slots of 3 or more"),
      ("n0 slots=1 n1 slots=1", 1, 12, "slots=N or max_slots=N"),
      ("-oProxyCommand=x slots=1", 1, 1, "the name or address of a node"),
      ("  a;b slots=1", 1, 3, "the name or address of a node"),
      ("+n0 slots=1", 1, 1, "the name or address of a node"),
      ("a@b@c slots=1", 1, 1, "the name or address of a node"),
      ("a@-c slots=1", 1, 1, "the name or address of a node"),
      ("=3", 1, 1, "a name"),
    ])
  func refused(_ text: String, _ line: Int, _ column: Int, _ expected: String) throws {
    let error = try #require(throws: HostfileError.self) { try hosts(text) }
    #expect(error.line == line && error.column == column && error.expected.hasPrefix(expected), "\(error)")
  }

  @Test("No ranks at all", arguments: ["", "# nothing\n", "n0 slots=0"])
  func empty(_ text: String) throws {
    #expect(try #require(throws: HostfileError.self) { try hosts(text) }.expected == "1 to 65536 slots in all")
  }

  @Test("Noise gives hosts or an error")
  func noise() throws {
    var random = SeededGenerator(seed: 5)
    let alphabet = Array("n01 slots=\t#\n@:-.max_é\r+".unicodeScalars)
    for _ in 0..<20_000 {
      var text = String.UnicodeScalarView()
      for _ in 0..<Int.random(in: 0..<40, using: &random) { text.append(alphabet.randomElement(using: &random)!) }
      guard let file = try? Hostfile(text: String(text), file: "hosts", machine: Self.machine) else { continue }
      #expect(file.hosts.allSatisfy { $0.slots > 0 && !$0.name.hasPrefix("-") && !$0.name.isEmpty })
      #expect(Set(file.hosts.map(\.name)).count == file.hosts.count)
    }
  }

  /// As Open MPI 4.1 printed them with --display-map on the machine vm; for user@ and aliases too.
  @Test(
    "This machine comes first, under whichever of its names, and its names are one node",
    arguments: [
      ("a slots=1\nvm slots=1\nb slots=2", "vm:1 a:1 b:2"),
      ("a slots=1\nlocalhost slots=2\nb slots=2", "localhost:2 a:1 b:2"),
      ("a slots=1\n127.0.0.1 slots=2\nb slots=2", "127.0.0.1:2 a:1 b:2"),
      ("a slots=1\n10.0.0.5 slots=2", "10.0.0.5:2 a:1"),
      ("a slots=1\nvm.elsewhere slots=2", "vm.elsewhere:2 a:1"),
      ("a slots=1\nroot@vm slots=1\nb slots=1", "root@vm:1 a:1 b:1"),
      ("b slots=1\nalias slots=2", "alias:2 b:1"),
      ("a slots=1\nvm slots=2\nlocalhost\nb slots=2", "vm:3 a:1 b:2"),
      ("localhost slots=2\nb slots=1\n10.0.0.5\nvm.z", "localhost:4 b:1"),
      ("b slots=1\na slots=2\na.x\nvm slots=1", "vm:1 b:1 a:3"),
      ("b slots=1\n127.0.0.2 slots=2", "b:1 127.0.0.2:2"),
      ("b slots=1\nvm slots=0\na slots=1", "b:1 a:1"),
    ])
  func order(_ text: String, _ expected: String) throws {
    let file = try Hostfile(text: text, file: "hosts", machine: Self.machine)
    #expect(file.hosts.map { "\($0.name):\($0.slots)" }.joined(separator: " ") == expected)
    #expect(file.movesThisMachine == !(text.hasPrefix(file.hosts[0].name)))
  }

  @Test(
    "A list of nodes in an option",
    arguments: [
      ("a", "a:0"), ("a,b:2,c", "a:0 b:2 c:0"), ("a,vm:2", "vm:2 a:0"), ("::1,root@b", "::1:0 root@b:0"),
      ("localhost:3,b.lab", "localhost:3 b.lab:0"),
    ])
  func list(_ text: String, _ expected: String) throws {
    let hosts = try Hostfile.hosts(list: text, machine: Self.machine)
    #expect(hosts.map { "\($0.name):\($0.slots)" }.joined(separator: " ") == expected)
  }

  @Test(
    "A list that is none: no word of lines, columns and slots that nobody wrote",
    arguments: [
      ("a,,b", "names separated by commas", "\"a,,b\""), ("", "names separated by commas", "\"\""),
      ("a:0", "names separated by commas", "\"a:0\""), ("a:x", "names separated by commas", "\"a:x\""),
      ("a:99999999", "names separated by commas", "\"a:99999999\""), ("-x", "the name or address of a node", "\"-x\""),
      ("a#b", "the name of a node", "\"a#b\""), ("a b", "slots=N", "\"b\""), ("a,a", "each machine once", "a twice"),
      ("a.x,a:2", "each machine once", "a.x and a, which are the same"),
      ("localhost,vm", "each machine once", "localhost and vm, which are the same"),
      ("alias,10.0.0.5", "each machine once", "alias and 10.0.0.5, which are the same"),
    ])
  func badList(_ text: String, _ expected: String, _ found: String) throws {
    let error = try #require(throws: NodeError.self) { try Hostfile.hosts(list: text, machine: Self.machine) }
    #expect(error.text.hasPrefix("expected \(expected)") && error.text.hasSuffix("found \(found)"), "\(error)")
    #expect(error.isUsage && !error.hint.isEmpty && !error.description.contains("line "))
  }

  @Test(
    "Slots of one machine under two names", arguments: ["vm slots=2\nlocalhost slots=3", "a.x slots=2\na slots=1"])
  func twice(_ text: String) throws {
    let error = try #require(throws: HostfileError.self) { try hosts(text) }
    #expect(error.line == 2 && error.found.hasSuffix("is the same machine"), "\(error)")
  }

  /// As Open MPI 4.1 printed it for these hosts with --display-map.
  @Test("Ranks of nodes, as mpirun deals them out")
  func ranks() {
    let hosts = [("a", 3), ("b", 1), ("c", 2)].map { Hostfile.Host(name: $0.0, slots: $0.1) }
    #expect(RankOrder.node.ranks(of: hosts) == [[0, 3, 5], [1], [2, 4]])
    #expect(RankOrder.slot.ranks(of: hosts) == [[0, 1, 2], [3], [4, 5]])
  }
}
