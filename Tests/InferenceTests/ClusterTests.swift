import ExpertParallel
import Foundation
import Inference
import Kernels
import StrictJSON
import TestSupport
import Testing

@Suite("Cluster descriptions")
struct ClusterTests {
  static let examples = Fixtures.root.deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Cluster/examples")

  static func exampleFiles() throws -> [URL] {
    try FileManager.default.contentsOfDirectory(at: examples, includingPropertiesForKeys: nil)
      .filter { $0.pathExtension == "json" }.sorted { $0.path < $1.path }
  }

  @Test("The examples are valid, say that they are made up, and are as flotilla would write them")
  func examples() throws {
    let files = try Self.exampleFiles()
    #expect(files.count >= 2)
    for file in files {
      let cluster = try ClusterDescription.load(file)
      #expect(cluster.note?.contains("Made up") == true, "\(file.lastPathComponent)")
      #expect(try cluster.json() == Data(contentsOf: file), "\(file.lastPathComponent)")
      #expect(cluster.rounded == cluster)
    }
  }

  private func small() throws -> ClusterDescription {
    var cluster = try ClusterDescription.load(Self.exampleFiles()[0])
    cluster.nodes = Array(cluster.nodes.prefix(2))
    cluster.links = .init(latencySeconds: [[0, 5e-5], [6e-5, 0]], bytesPerSecond: [[0, 1e8], [1.1e8, 0]])
    return cluster
  }

  @Test("A link that stands out is measured again, and the better of both counts")
  func standingOut() {
    func link(_ to: Int, _ latency: Double, _ bandwidth: Double) -> ClusterMeasurement.Link {
      .init(from: 0, to: to, latencySeconds: latency, bytesPerSecond: bandwidth)
    }
    let links = [link(1, 1e-5, 1e9), link(2, 1.1e-5, 1.2e8), link(3, 0.9e-5, 1.1e9), link(4, 9e-5, 1e9)]
    #expect(ClusterMeasurement.Link.standingOut(links) == [1, 3])
    #expect(ClusterMeasurement.Link.standingOut([]) == [])
    // Of an even number the median lies between two: latency 2e-5, bandwidth 3.5e8.
    let even = [link(1, 1e-5, 1.9e8), link(2, 1e-5, 3e8), link(3, 3e-5, 4e8), link(4, 5e-5, 4e8)]
    #expect(ClusterMeasurement.Link.standingOut(even) == [3])
    #expect(links[1].better(link(2, 2e-5, 1e9)) == link(2, 1.1e-5, 1e9))
  }

  @Test("There and back")
  func roundTrip() throws {
    var cluster = try small()
    #expect(try ClusterDescription.parse(cluster.json(), file: "c.json") == cluster)
    cluster.nodes[1].messageCost = .init(secondsPerByteSent: 1e-9, secondsPerByteReceived: 2.5e-9)
    #expect(try ClusterDescription.parse(cluster.json(), file: "c.json") == cluster)
  }

  @Test(
    "What is wrong is named with file and field",
    arguments: [
      (#""version": 1"#, #""version": 2"#, "version"), (#""version": 1"#, #""version": "1""#, "version"),
      (#""version": 1"#, #""version": 1, "more": 1"#, "more"), (#""nodes": ["#, #""nodes": {}, "x": ["#, "nodes"),
      (#""sockets": "#, #""sockets": -"#, "nodes[0].sockets"), (#""cores": "#, #""cores": 9"#, "nodes[0].processors"),
      (#""cores": "#, #""kernels": "#, "nodes[0].cores"), (#""domains": "#, #""domains": 0.5"#, "JSON"),
      (#""available": "#, #""available": 9"#, "nodes[0].memory_bytes.available"),
      (#""threads": 1}"#, #""threads": 0}"#, "nodes[0].multiply_adds_f32_per_second[0].threads"),
      (#""threads": 1}"#, #""threads": 3}"#, "nodes[0].multiply_adds_f32_per_second[1].threads"),
      ("[0, 5e-05]", "[0, 0]", "links.latency_seconds[0][1]"),
      ("[0, 5e-05]", "[1, 5e-05]", "links.latency_seconds[0][0]"),
      ("[0, 5e-05]", "[0]", "links.latency_seconds[0]"), ("[0, 5e-05],", "", "links.latency_seconds"),
      ("[0, 5e-05]", "[0, null]", "links.latency_seconds[0][1]"), ("{", "[", "JSON"),
    ])
  func refused(_ old: String, _ new: String, _ field: String) throws {
    let text = String(decoding: try small().json(), as: UTF8.self)
    let range = try #require(text.range(of: old), "\(old)")
    let error = try #require(throws: CalibrationError.self) {
      try ClusterDescription.parse(Data(text.replacingCharacters(in: range, with: new).utf8), file: "c.json")
    }
    #expect(error.file == "c.json" && error.field == field && error.hint.contains("--hostfile"), "\(error)")
  }

  @Test("Two nodes of one name, and a file that is not there")
  func names() throws {
    var cluster = try small()
    cluster.nodes[1].name = cluster.nodes[0].name
    let data = try cluster.json()
    let error = try #require(throws: CalibrationError.self) { try ClusterDescription.parse(data, file: "c") }
    #expect(error.field == "nodes[1].name")
    cluster.nodes = []
    let nobody = try cluster.json()
    #expect(
      try #require(throws: CalibrationError.self) { try ClusterDescription.parse(nobody, file: "c") }.field == "nodes")
    #expect(throws: CalibrationError.self) { try ClusterDescription.load(URL(filePath: "/no/such/file")) }
  }

  @Test("What no machine has is refused: field by field")
  func limits() throws {
    typealias Change = (inout ClusterDescription) -> Void
    let huge = [Calibration.ThreadSpeed(threads: 1, best: 1e300, median: 1)]
    let changes: [(String, Change)] = [
      ("nodes[0].sockets", { $0.nodes[0].sockets = 1 << 62 }), ("nodes[0].domains", { $0.nodes[0].domains = 1 << 62 }),
      ("nodes[0].domains", { $0.nodes[0].domains = 100_000 }),
      ("nodes[0].cores", { ($0.nodes[0].cores, $0.nodes[0].processors) = (1 << 62, 1 << 62) }),
      ("nodes[1].processors", { $0.nodes[1].processors = 1 << 17 }),
      ("nodes[0].memory_bytes.total", { $0.nodes[0].memoryBytes = .init(total: .max, available: .max) }),
      ("nodes[0].read_bytes_per_second[0].best", { $0.nodes[0].readBytesPerSecond = huge }),
      (
        "nodes[0].message_cost.seconds_per_byte_sent",
        { $0.nodes[0].messageCost = .init(secondsPerByteSent: -1e-9, secondsPerByteReceived: 0) }
      ),
      (
        "nodes[1].message_cost.seconds_per_byte_received",
        { $0.nodes[1].messageCost = .init(secondsPerByteSent: 0, secondsPerByteReceived: 1) }
      ),
      ("links.bytes_per_second[0][1]", { $0.links.bytesPerSecond[0][1] = 1e-300 }),
      ("links.latency_seconds[1][0]", { $0.links.latencySeconds[1][0] = 1e6 }),
      ("nodes[1].instruction_set", { $0.nodes[1].instructionSet = "zzz" }),
      (
        "nodes[0].products[0].streamed_bytes_per_second",
        {
          $0.nodes[0].products = [
            .init(
              format: .q4_K, threads: 1, streamedBytesPerSecond: 1e-9,
              multiplyAdds: Calibration.ProductSpeed.rows.map { .init(rows: $0, perSecond: 1e9) })
          ]
        }
      ),
    ]
    for (field, change) in changes {
      var cluster = try small()
      change(&cluster)
      let data = try cluster.json()
      let error = try #require(throws: CalibrationError.self) { try ClusterDescription.parse(data, file: "c") }
      #expect(error.field == field, "\(error)")
    }
  }

  @Test("Names that a hostfile or a command line would take for more than a name are refused")
  func namesOfNodes() throws {
    for name in ["two words", "a\nb slots=9", "-oProxyCommand=x", "a;b", "^n0", "a@b@c", "ü", "+n1"] {
      var cluster = try small()
      cluster.nodes[1].name = name
      let data = try cluster.json()
      let error = try #require(throws: CalibrationError.self) { try ClusterDescription.parse(data, file: "c") }
      #expect(error.field == "nodes[1].name" && !error.found.contains("\n"), "\(error)")
    }
    for name in ["n1.lab", "me@n1", "10.0.0.7", "fe80::1", "node_7"] {
      var cluster = try small()
      cluster.nodes[1].name = name
      #expect(try ClusterDescription.parse(cluster.json(), file: "c") == cluster)
    }
  }

  @Test("Damaged files give an error or a description that makes sense")
  func fuzz() throws {
    let bytes = Array(try small().json())
    var mutator = Mutator(seed: 6, words: ["\"links\"", "\"nodes\"", "\"threads\": 0", "[[0]]", "1e-400", "-0"])
    for _ in 0..<fuzzCount(2000) {
      let damaged = Data(mutator.mutated(bytes))
      do {
        let cluster = try ClusterDescription.parse(damaged, file: "c")
        #expect(cluster.links.bytesPerSecond.count == cluster.nodes.count)
        #expect(cluster.nodes.allSatisfy { $0.cores >= 1 && $0.memoryBytes.available <= $0.memoryBytes.total })
      } catch {
        #expect(error.file == "c" && !error.field.isEmpty)
      }
    }
  }

  @Test("Three ranks of one host, each a node: machines by rank, every ordered pair")
  func ranks() throws {
    let network = InProcessNetwork(ranks: 3)
    var machine = MachineFacts.ofThisMachine(root: "/nonexistent")
    machine.cores = 1
    let members = (0..<3).map { rank in
      CalibrationRank(exchange: network.exchange(of: rank), kernels: .best, machine: machine) { false }
    }
    for (rank, member) in members.enumerated().dropFirst() { network.attach(rank: rank) { try member.step() } }
    let options = CalibrationOptions(bufferBytes: 2 << 20, repeats: 1, linkSeconds: 0)
    let found = try Calibrator(members[0], options: options).cluster(mpi: "none", includesMachines: true)
    #expect(found.machines.map(\.ranks) == [[0], [1], [2]] && found.ranks.count == 3)
    #expect(found.links.map { [$0.from, $0.to] } == [[0, 1], [0, 2], [1, 0], [1, 2], [2, 0], [2, 1]])
    #expect(found.links.allSatisfy { $0.latencySeconds > 0 && $0.bytesPerSecond > 0 && $0.bytesPerSecond.isFinite })
    #expect(found.ranks.allSatisfy { $0.messageCost.map { $0.secondsPerByteSent >= 0 } != false })
    let links = ClusterDescription.Links(found.links, nodes: 3)
    #expect(links.latencySeconds.indices.allSatisfy { links.latencySeconds[$0][$0] == 0 })
    #expect(links.bytesPerSecond[2][0] == found.links[4].bytesPerSecond)
  }

  @Test("What messages cost: the time that computing lost, held against quiet times before and after")
  func messageCost() {
    func sample(_ multiplyAdds: Double, sent: Int = 0, received: Int = 0) -> Calibration.LoadSample {
      .init(seconds: 2, multiplyAdds: multiplyAdds, threads: 4, bytesSent: sent, bytesReceived: received)
    }
    // 80 a second in quiet times, then 100: two seconds with messages lose 0.5 of them, of four threads.
    let quiet = [sample(160), sample(160), sample(200)]
    let busy = [sample(120, received: 1_000_000), sample(135, received: 1_000_000)]
    #expect(Calibration.MessageCost.secondsPerByte(busy, quiet: quiet, \.bytesReceived) == 0.5 * 4 / 1_000_000)
    // Few bytes make no cost that a description may not have.
    let few = [sample(120, received: 10), sample(135, received: 10)]
    #expect(Calibration.MessageCost.secondsPerByte(few, quiet: quiet, \.bytesReceived) == 1e-4)
    #expect(Calibration.MessageCost.secondsPerByte(busy, quiet: quiet, \.bytesSent) == nil)
    let faster = [sample(190, sent: 10), sample(190, sent: 10)]
    #expect(Calibration.MessageCost.secondsPerByte(faster, quiet: quiet, \.bytesSent) == 0)
  }

  @Test("What crossed each interface between two looks")
  func interfaces() {
    let before = [InterfaceCount(name: "a", bytes: 100), .init(name: "b", bytes: 5)]
    let after = [InterfaceCount(name: "a", bytes: 110), .init(name: "b", bytes: 5), .init(name: "c", bytes: 70)]
    #expect(
      InterfaceCount.growth(from: before, to: after) == [.init(name: "c", bytes: 70), .init(name: "a", bytes: 10)])
  }

  @Test("Counters of interfaces as the kernel writes them")
  func counters() throws {
    let root = FileManager.default.temporaryDirectory.appending(path: "counters-\(UUID().uuidString)")
    let folder = root.appending(path: "proc/self/net")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: root) }
    try """
    Inter-|   Receive                                                |  Transmit
     face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
      eth0:  1000      7    0    0    0     0          0         0       24       3    0    0    0     0       0          0
        br:1:   5      1    0    0    0     0          0         0        6       1    0    0    0     0       0          0
    """.write(to: folder.appending(path: "dev"), atomically: true, encoding: .utf8)
    #expect(
      InterfaceCount.ofThisMachine(root: root.path(percentEncoded: false)) == [
        .init(name: "br:1", bytes: 11), .init(name: "eth0", bytes: 1024),
      ])
    #expect(InterfaceCount.ofThisMachine().contains { $0.name == "lo" })
  }

  @Test("A measured link: the difference of two messages, so that latency does not count as bandwidth")
  func link() {
    func speed(_ bytes: Int, _ seconds: Double) -> Calibration.MessageSpeed {
      Calibration.MessageSpeed(
        bytes: bytes, rounds: 9, p50Seconds: seconds, p99Seconds: seconds, bytesPerSecond: Double(bytes) / seconds)
    }
    let link = ClusterMeasurement.Link(.init(from: 0, to: 1, messages: [speed(64, 1e-3), speed(1_000_064, 2e-3)]))
    #expect(link.latencySeconds == 1e-3 && abs(link.bytesPerSecond / 1e9 - 1) < 1e-9)
  }
}
