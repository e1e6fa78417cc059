import Foundation
import Nodes
import TestSupport
import Testing

@Suite("Hostfile")
struct HostfileTests {
  private func hosts(_ text: String) throws -> [Hostfile.Host] { try Hostfile(text: text, file: "hosts").hosts }

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
      guard let file = try? Hostfile(text: String(text), file: "hosts") else { continue }
      #expect(file.hosts.allSatisfy { $0.slots > 0 && !$0.name.hasPrefix("-") && !$0.name.isEmpty })
      #expect(Set(file.hosts.map(\.name)).count == file.hosts.count)
    }
  }

  /// As Open MPI 4.1 printed it for these hosts with --display-map.
  @Test("Ranks of nodes, as mpirun deals them out")
  func ranks() {
    let hosts = [("a", 3), ("b", 1), ("c", 2)].map { Hostfile.Host(name: $0.0, slots: $0.1) }
    #expect(RankOrder.node.ranks(of: hosts) == [[0, 3, 5], [1], [2, 4]])
    #expect(RankOrder.slot.ranks(of: hosts) == [[0, 1, 2], [3], [4, 5]])
  }
}
