import Checkpoint
import ExpertParallel
import Foundation
import Inference
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
    #expect(run.status == 2 && run.errors.contains("missing") && run.errors.contains("hint: it fits with --quant"))
    let facts = try #require(try JSONSerialization.jsonObject(with: Data(run.output)) as? [String: Any])
    #expect(facts["fits"] as? Bool == false)
    #expect(facts["missing_bytes"] as? Int ?? 0 > 100 << 30)
    #expect((facts["nodes"] as? [Any])?.count == 8)
    #expect(facts["fitting_formats"] as? [String] == ["q4_1", "q4_K"])
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
      #expect(hosts.count == 1 || lines.contains("scp -q \(path)/placement.json \"$node\":"), "\(lines)")
      let again = try Run(arguments)
      #expect(again.status == 2 && again.errors.contains("placement.json"))
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
