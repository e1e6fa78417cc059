import Checkpoint
import ExpertParallel
import Foundation
import Inference
import StrictJSON
import TestSupport
import Testing

@Suite("plan")
struct PlanTests {
  private static let root = Fixtures.root.appending(path: "../..").standardizedFileURL
  private static let examples = root.appending(path: "Cluster/examples")
  private let small = examples.appending(path: "8-nodes-64GB-1GbE.json").filePath

  @Test("What does not fit ends with 2 and says how much is missing where")
  func shortage() throws {
    let run = try Run(["plan", "r1", "--cluster", small, "--json"])
    #expect(run.status == 2 && run.errors.contains("GiB too little: 87 of 256 experts of every layer have no place"))
    #expect(
      run.errors.contains("hint: it fits with --quant q4_K, or --quant Q4_K_M, or --quant q4_1\n"), "\(run.errors)")
    let facts = try #require(try JSONSerialization.jsonObject(with: Data(run.output)) as? [String: Any])
    #expect(facts["fits"] as? Bool == false)
    #expect(facts["missing_bytes"] as? Int ?? 0 > 100 << 30)
    let nodes = try #require(facts["nodes"] as? [[String: Any]])
    #expect(nodes.count == 8 && nodes.allSatisfy { $0["missing_bytes"] as? Int ?? 0 > 20 << 30 })
    #expect(facts["fitting_formats"] as? [String] == ["q4_K", "Q4_K_M", "q4_1"])
    let page = try Run(["plan", "r1", "--cluster", small])
    #expect(page.text.contains("does not fit on 8 nodes") && page.text.contains("87 of 256"))
    #expect(page.lines.filter { $0.contains("node") && $0.contains(" GiB") && !$0.contains("–") }.count >= 8)
  }

  @Test("What no machine has ends with 2 and the field, never with a trap")
  func impossible() throws {
    try withTemporaryPath { path in
      var cluster = try ClusterDescription.load(URL(filePath: small))
      cluster.nodes[0].domains = 1 << 62
      try cluster.json().write(to: URL(filePath: path))
      let run = try Run(["plan", "r1", "--quant", "q4_K", "--cluster", path])
      #expect(run.status == 2 && run.errors.contains("nodes[0].domains"), "\(run.status) \(run.errors)")
    }
  }

  @Test("The lines to paste do the same where the folder's name has blanks and quotes")
  func blanks() throws {
    try withTemporaryPath { path in
      let folder = URL(filePath: path).appending(path: "it's a plan")
      let arguments = ["plan", "r1", "--quant", "q4_K", "--cluster", small, "-p", "0", "-n", "1"]
      let run = try Run(arguments + ["-o", folder.filePath])
      #expect(run.status == 0, "\(run.errors)")
      let placement = try Data(contentsOf: folder.appending(path: "placement.json"))
      let lines = try String(contentsOf: folder.appending(path: "commands.txt"), encoding: .utf8).split(separator: "\n")
      let copying = try #require(lines.first { $0.contains("ssh") })
      #expect(lines.contains { $0.hasPrefix("flotilla prepare CHECKPOINT /models/PREPARED --quant q4_K") })
      #expect(lines.contains { $0.hasPrefix("# -c caps the context") })
      // A remote shell that joins its words and reads them again, as ssh does, on a node that has no such folder yet.
      let tools = URL(filePath: path).appending(path: "bin")
      try FileManager.default.createDirectory(at: tools, withIntermediateDirectories: true)
      let script = "#!/bin/sh\nrm -r \"$PLAN\" || exit 1\nshift\nexec sh -c \"$*\"\n"
      let remote = tools.appending(path: "ssh")
      try Data(script.utf8).write(to: remote)
      try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: remote.filePath)
      let shell = Process()
      shell.executableURL = URL(filePath: "/bin/sh")
      shell.arguments = ["-c", String(copying)]
      shell.environment = ["PATH": tools.filePath + ":/usr/bin:/bin", "PLAN": folder.filePath]
      try shell.run()
      shell.waitUntilExit()
      #expect(shell.terminationStatus == 0, "\(copying)")
      #expect(try Data(contentsOf: folder.appending(path: "placement.json")) == placement)
    }
  }

  @Test("Nodes that are not used are named as a range")
  func idle() throws {
    let run = try Run(["plan", "mini", "--quant", "q8_0", "--cluster", small, "-p", "64", "-n", "8"])
    #expect(run.text.contains("Not used, since that is no slower: node"), "\(run.text)")
    #expect(run.text.contains(" to node7 ("), "\(run.text)")
  }

  @Test("What messages take from processors is in the sums, and whose was not calibrated is said")
  func messages() throws {
    try withTemporaryPath { path in
      var cluster = try ClusterDescription.load(URL(filePath: small))
      for index in cluster.nodes.indices where index != 3 {
        cluster.nodes[index].messageCost = .init(secondsPerByteSent: 2e-8, secondsPerByteReceived: 3e-8)
      }
      try cluster.json().write(to: URL(filePath: path))
      let model = ["bench-3b", "--quant", "q4_K", "--cluster", path, "-p", "512", "-n", "2"]
      let page = try Run(["plan", "r1", "--quant", "q4_K", "--cluster", path, "-p", "512", "-n", "2"]).text
      #expect(page.contains("sent x ") && page.contains("received x "), "\(page)")
      let all = ["plan"] + model + ["--ranks", "8"]
      for arguments in [all, ["simulate"] + model + ["--placement", try placement(beside: path)]] {
        let words = try Run(arguments).text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(words.contains("take from the processors of node3 beside the wire."), "\(words)")
        let json = try Run(arguments + ["--json"])
        let facts = try #require(try JSONSerialization.jsonObject(with: Data(json.output)) as? [String: Any])
        #expect(facts["omits_messages_of"] as? [String] == ["node3"])
      }
    }
  }

  /// A file with a placement of bench-3b on eight ranks.
  private func placement(beside path: String) throws -> String {
    let file = URL(filePath: path + ".placement")
    try Data(Placement.contiguous(experts: 64, ranks: 8).json.utf8).write(to: file)
    return file.filePath
  }

  @Test("A virtual run without a step of decode says nothing of decode")
  func noSteps() throws {
    let arguments = ["simulate", "mini", "--quant", "q8_0", "--cluster", small, "-p", "64", "-n", "0"]
    let run = try Run(arguments)
    #expect(run.status == 0 && run.text.contains("Prompt PREDICTED"), "\(run.errors)")
    #expect(!run.text.contains("Decode") && !run.text.contains(" 0 s"), "\(run.text)")
    let facts = try Run(arguments + ["--json"])
    #expect(facts.status == 0 && !facts.text.contains("decode_tokens_per_second"), "\(facts.text)")
  }

  @Test("-o writes a placement that loads, a hostfile and lines to paste; never over an old plan")
  func folder() throws {
    try withTemporaryPath { path in
      let arguments = ["plan", "bench-3b", "--quant", "q4_K", "--cluster", small, "-o", path]
      let run = try Run(arguments)
      #expect(run.status == 0 && run.text.contains("PREDICTED"), "\(run.errors)")
      #expect(run.text.contains("flotilla launch"))
      let folder = URL(filePath: path)
      let hosts = try String(contentsOf: folder.appending(path: "hostfile"), encoding: .utf8).split(separator: "\n")
      _ = try Placement.load(folder.appending(path: "placement.json"), ranks: hosts.count, experts: 64)
      let lines = try String(contentsOf: folder.appending(path: "commands.txt"), encoding: .utf8)
      #expect(lines.contains("flotilla push ") && lines.contains("--map-by slot") && lines.contains("--placement"))
      #expect(hosts.count == 1 || lines.contains("< \(path)/placement.json; done"), "\(lines)")
      let again = try Run(arguments)
      #expect(again.status == 2 && again.errors.contains("placement.json"))
    }
  }

  /// Lines of a paragraph end where the terminal does.
  private static func unwrapped(_ text: String) -> String {
    text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
  }

  @Test("--dense-slices: only that is planned, and the page says that it was asked for")
  func division() throws {
    let cluster = Self.examples.appending(path: "4-nodes-dual-socket-256GB-25GbE.json").filePath
    let arguments = ["plan", "bench-3b", "--quant", "q4_K", "--cluster", cluster, "-p", "0", "-n", "8"]
    for (asked, row, outcome) in [
      ("none", "on the coordinator alone", "the coordinator alone computes"),
      ("host", "among the 2 ranks of its node", "2 ranks divide"),
    ] {
      let page = try Run(arguments + ["--dense-slices", asked]).text
      #expect(page.contains("\(row) (asked for)") && !page.contains("\(row) (chosen)"), "\(page)")
      let said = "Asked for with --dense-slices \(asked): \(outcome) the dense part of generated tokens."
      #expect(Self.unwrapped(page).contains("\(said) No plan of another kind was tried."), "\(page)")
    }
    let facts = try StrictJSON.parse(Run(arguments + ["--dense-slices", "all", "--json"]).output)
    let ranks = try #require(facts["ranks"]?.array?.count)
    #expect(facts["dense_slices"]?.string == "all")
    let part = try #require(facts["dense_part"]?.array)
    #expect(part[0]["ranks"]?.string == (ranks > 2 ? "1-\(ranks - 1)" : "1"))
    #expect(part[0]["is_asked_for"]?.bool == true && part.allSatisfy { $0["is_chosen"]?.bool == false })
    let free = try StrictJSON.parse(Run(arguments + ["--json"]).output)
    #expect(free["dense_slices"] == nil && free["dense_part"]?.array?[0]["is_chosen"]?.bool == true)
  }

  @Test("What comes of --dense-slices is said, with given ranks and where nobody is there to divide with")
  func outcomes() throws {
    let two = Self.examples.appending(path: "4-nodes-dual-socket-256GB-25GbE.json").filePath
    func run(_ cluster: String, _ options: [String]) throws -> Run {
      try Run(["plan", "bench-3b", "--quant", "q4_K", "--cluster", cluster, "-p", "0", "-n", "8"] + options)
    }
    let given = ["--ranks", "8", "--threads", "1"]
    let facts = try StrictJSON.parse(run(two, given + ["--json"]).output)
    #expect(facts["slices"]?.string == "4" && facts["decides_slices"]?.bool == true)
    let page = try run(two, given + ["--dense-slices", "all"])
    #expect(Self.unwrapped(page.text).contains("Asked for with --dense-slices all: 8 ranks divide"))
    #expect(page.lines.count { $0.contains("experts, slices") } == 7, "\(page.text)")
    func many(_ slicing: String) throws -> String {
      Self.unwrapped(try run(two, given + ["--parallel", "33", "--dense-slices", slicing]).text)
    }
    #expect(try many("all").contains("generated tokens is not divided, since a step has 33 rows, more than 32, and"))
    #expect(try many("host").contains("Asked for with --dense-slices host: 2 ranks divide the dense part"))
    // One rank on each node.
    let alone = "Asked for with --dense-slices host: the coordinator's node has no other rank to divide the dense part"
    for options in [given, []] {
      let text = try run(small, options + ["--dense-slices", "host"]).text
      #expect(Self.unwrapped(text).contains(alone) && !text.contains("(asked for)"), "\(text)")
    }
    let open = try StrictJSON.parse(run(small, given + ["--json"]).output)
    #expect(open["slices"]?.string == "" && open["decides_slices"]?.bool == false)
  }

  @Test("What does not fit with the division that was asked for, but without it, is said")
  func undivided() throws {
    try withTemporaryPath { path in
      var cluster = try ClusterDescription.load(URL(filePath: small))
      cluster.nodes.removeLast(6)
      cluster.links.latencySeconds = [[0, 1e-5], [1e-5, 0]]
      cluster.links.bytesPerSecond = [[0, 1e8], [1e8, 0]]
      // bench-3b takes 1.7 GB, 44 MB of it a second time.
      for bytes in stride(from: 900_000_000, through: 1_300_000_000, by: 10_000_000) {
        for node in cluster.nodes.indices { cluster.nodes[node].memoryBytes = .init(total: bytes, available: bytes) }
        try cluster.json().write(to: URL(filePath: path), options: .atomic)
        let arguments = ["plan", "bench-3b", "--quant", "q4_K", "--cluster", path, "-p", "0", "-n", "8", "--json"]
        guard try Run(arguments + ["--dense-slices", "none"]).status == 0 else { continue }
        let run = try Run(arguments + ["--dense-slices", "all"])
        #expect(run.status == 2 && run.errors.contains("it fits without --dense-slices all"), "\(bytes) \(run.errors)")
        let facts = try StrictJSON.parse(run.output)
        #expect(facts["dense_slices"]?.string == "all" && facts["fits_undivided"]?.bool == true)
        let nodes = try #require(facts["nodes"]?.array)
        #expect(nodes[0]["share_bytes"]?.int == 0 && nodes[1]["share_bytes"]?.int ?? 0 > 20_000_000)
        #expect(facts["missing_bytes"]?.int ?? 0 > 0, "\(facts)")
        let page = try Run(arguments.filter { $0 != "--json" } + ["--dense-slices", "all"])
        #expect(page.text.contains("of that shares"), "\(page.text)")
        #expect(Self.unwrapped(page.text).contains("since --dense-slices all was asked for"), "\(page.text)")
        return
      }
      Issue.record("it never fits")
    }
  }

  @Test("A config.json, a folder and a name are the same model")
  func sources() throws {
    let folder = Fixtures.url("tiny-f32")
    let plans = try [folder.filePath, folder.appending(path: "config.json").filePath].map {
      try Run(["plan", $0, "--quant", "f32", "--cluster", small, "--json", "-p", "64", "-n", "16"])
    }
    #expect(plans[0].status == 0 && plans[0].output == plans[1].output, "\(plans[0].errors)\(plans[1].errors)")
  }

  @Test(
    "Wrong input: exit code 2, named",
    arguments: [
      (["plan", "r1"], "--cluster"), (["plan", "nothing", "--cluster", "CLUSTER"], "MODEL"),
      (["plan", "r1", "--cluster", "/nothing"], "/nothing"),
      (["plan", "r1", "--cluster", "CLUSTER", "-c", "10"], "--ctx-size"),
      (["plan", "r1", "--cluster", "CLUSTER", "-p", "200000"], "163840"),
    ])
  func wrong(_ arguments: [String], _ expected: String) throws {
    let run = try Run(arguments.map { $0 == "CLUSTER" ? small : $0 })
    #expect(run.status == 2 && run.errors.contains(expected), "\(run.errors)")
  }

  @Test("README.md has the figures that its line gives")
  func readme() throws {
    let text = try String(contentsOf: Self.root.appending(path: "README.md"), encoding: .utf8)
    #expect(text.contains("flotilla plan r1 --quant q4_K --cluster Cluster/examples/8-nodes-64GB-1GbE.json"))
    let run = try Run(["plan", "r1", "--quant", "q4_K", "--cluster", small])
    let line = try #require(run.lines.first { $0.hasPrefix("        1  ") }).split(separator: " ")
    #expect(text.contains("prompts at \(line[1]) tokens/s, one stream of decode at \(line[2]) tokens/s"), "\(line)")
  }

  @Test("Documentation/Planning.md has what the planner says")
  func pages() throws {
    let page = try String(contentsOf: Self.root.appending(path: "Documentation/Planning.md"), encoding: .utf8)
    let name = "16-nodes-32GB-10GbE"
    let cluster = Self.examples.appending(path: "\(name).json").filePath
    let run = try Run(["plan", "r1", "--quant", "q4_K", "--parallel", "16", "--cluster", cluster, "--markdown"])
    let said = run.lines.filter { $0.hasPrefix("| ") }
    #expect(run.status == 0 && said.count > 20)
    #expect(said.filter { !page.contains($0) } == [], "Scripts/plan-pages writes it")
  }
}
