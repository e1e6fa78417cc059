import Doctor
import Foundation
import Inference
import Nodes
import TestSupport
import Testing

@Suite("Facts of nodes")
struct FactsTests {
  @Test("What a shell says")
  func shell() {
    var facts = ShellFacts()
    for line in [
      "host n1", "system Linux 6.1 x86_64", "processors 8", "MemTotal:       16000 kB", "MemAvailable:   9000 kB",
      "load 0.25", "mpirun mpirun (Open MPI) 4.1.4", "daemon", "model", "disk /dev/my disk 100 40 60 40% /a b",
      "manifest abc", "program /opt/my tools/flotilla", "version 0.1.0", "hash 12ab", "file 77 a file.json", "nonsense",
      "file x y", "",
    ] { facts.take(line) }
    #expect(facts.hostName == "n1" && facts.system == "Linux 6.1 x86_64" && facts.processors == 8)
    #expect(facts.memoryTotal == 16000 << 10 && facts.memoryAvailable == 9000 << 10 && facts.load == 0.25)
    #expect(facts.mpirun == "mpirun (Open MPI) 4.1.4" && facts.hasDaemon && facts.hasModel)
    #expect(facts.diskFree == 60 << 10 && facts.manifest == "abc")
    #expect(facts.program == .init(path: "/opt/my tools/flotilla", version: "0.1.0", hash: "12ab"))
    #expect(facts.files == [.init(name: "a file.json", bytes: 77)])
    var empty = ShellFacts()
    for line in ["host ", "load ", "mpirun ", "processors ", "hash ", "manifest ", "disk ", "version "] {
      empty.take(line)
    }
    #expect(empty == ShellFacts())
  }

  @Test("A node that has no flotilla still tells what its shell knows")
  func script() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "a node's \(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.path(percentEncoded: false)
    try Data("{}".utf8).write(to: folder.appending(path: "manifest.json"))
    try Data("12345".utf8).write(to: folder.appending(path: "it's a file"))
    let need = NodeNeed(
      ranks: [0], files: [.init(name: "it's a file", bytes: 5), .init(name: "absent", bytes: 1)], bundles: "0")
    let question = NodeQuestion(
      name: "localhost", need: need, shell: .ssh(), program: path + "/no flotilla", model: path, peers: ["n2"],
      limit: 30, isCancelled: { false })
    let node = try question.ask()
    let shell = try #require(node.shell, "\(String(describing: node.failure))")
    #expect(node.failure == nil && node.facts == nil && shell.program == nil)
    #expect(shell.files == [.init(name: "it's a file", bytes: 5)] && shell.hasModel)
    #expect(shell.manifest == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a")
    #expect(shell.hostName != nil && shell.memoryTotal ?? 0 > 0 && shell.diskFree ?? 0 > 0)
    #expect(abs(try #require(node.clockOffset)) < 1)
  }

  @Test("A node that does not answer is given up in time, and Ctrl-C is no failure of the node")
  func silent() throws {
    let shell = try #require(RemoteShell.command("sh -c 'exec sleep 60'"))
    func question(_ isCancelled: @escaping @Sendable () -> Bool) -> NodeQuestion {
      NodeQuestion(
        name: "n1", need: NodeNeed(ranks: [0]), shell: shell, program: "flotilla", model: nil, peers: [], limit: 0.3,
        isCancelled: isCancelled)
    }
    let start = ContinuousClock.now
    let node = try question { false }.ask()
    #expect(node.failure?.text.hasPrefix("no answer within") == true && ContinuousClock.now - start < .seconds(10))
    #expect(throws: NodeInterrupted.self) { _ = try question { true }.ask() }
  }

  @Test("This machine: facts, there and back as JSON")
  func own() throws {
    let facts = NodeFacts.ofThisMachine(version: "1", peers: ["127.0.0.1", "no-such-host.invalid"])
    #expect(try JSONDecoder().decode(NodeFacts.self, from: JSONEncoder().encode(facts)) == facts)
    #expect(facts.cores >= 1 && facts.processors >= facts.cores && facts.sockets >= 1 && facts.domains >= 1)
    #expect(facts.routes[0].address == "127.0.0.1" && facts.routes[1].address == nil)
    #expect(facts.interfaces.contains { $0.isLoopback && $0.addresses.contains { $0.network == "127.0.0.0/8" } })
  }

  @Test("mpirun's command: one rank a node, nothing that a shell would split")
  func command() throws {
    let hosts = [Hostfile.Host(name: "a", slots: 2), .init(name: "b", slots: 1)]
    func words(_ shell: RemoteShell?, _ range: String?, _ runtime: MPIRuntime) throws -> [String] {
      try NodeJob(hosts: hosts, shell: shell ?? .ssh(), range: range, program: "/opt/flotilla", limit: 1)
        .command(["calibrate"], runtime)
    }
    let four = try words(nil, "10.0.0.0/24", .version4).joined(separator: " ")
    #expect(four.contains("--host a:1,b:1 ") && four.contains("--map-by node --bind-to none"))
    #expect(four.contains("--mca btl_tcp_if_include 10.0.0.0/24 --mca oob_tcp_if_include 10.0.0.0/24"))
    #expect(four.hasSuffix("--mca mpi_yield_when_idle 1 /opt/flotilla calibrate") && !four.contains("prte"))
    let five = try words(.command("/lab agent"), "10.0.0.0/24", .version5)
    #expect(five.contains("/lab agent") && !five.contains { $0.hasPrefix("plm_rsh") || $0 == "oob_tcp_if_include" })
    #expect(
      five.joined(separator: " ").contains("--prtemca plm_ssh_agent /lab agent --prtemca plm_ssh_no_tree_spawn 1"))
    #expect(try !words(nil, nil, .version5).contains { $0.contains("if_include") })
    #expect(throws: NodeError.self) { _ = try words(.command("'the agent'"), nil, .version4) }
  }

  @Test("Ranks that mpirun dealt out in another order are put back")
  func order() {
    var measurement = MadeUp.measurement(3)
    measurement.ranks = [2, 0, 1].map { measurement.ranks[$0] }
    measurement.links[0].bytesPerSecond = 1
    let sorted = measurement.inOrder(of: ["host0", "host1", "host2"])
    #expect(sorted.ranks.map(\.hostName) == ["host0", "host1", "host2"])
    // From host2 to host0.
    #expect(sorted.links.filter { $0.bytesPerSecond == 1 }.map { [$0.from, $0.to] } == [[2, 0]])
    #expect(measurement.inOrder(of: ["x", "x", "x"]) == measurement)
  }
}
