import Checkpoint
import Foundation
import StrictJSON
import TestSupport
import Testing

@Suite("Simulation without weights")
struct SimulateTests {
  private func simulate(_ arguments: [String], ranks: Int?) throws -> JSONValue {
    let run = try Run(["simulate"] + arguments + ["--json", "--quiet"], ranks: ranks)
    #expect(run.status == 0, "\(run.errors)")
    return try StrictJSON.parse(run.output)
  }

  private func sum(_ record: JSONValue, _ key: String) -> Int {
    (record["ranks"]?.array ?? []).reduce(0) { $0 + ($1[key]?.int ?? 0) }
  }

  @Test("All experts are placed, the chosen ones run, and no parameter more; all of it marked", arguments: [nil, 3])
  func counts(_ ranks: Int?) throws {
    let record = try simulate(["mini", "--quant", "q4_K", "-p", "6", "-n", "4"], ranks: ranks)
    let inventory = ParameterInventory(ModelConfiguration.Preset.mini.configuration)
    #expect(record["phantom"]?.bool == true)
    #expect(record["tokens"]?["computed"]?.int == 10)
    #expect(sum(record, "expert_pairs_held") == 32 * 7)
    #expect(sum(record, "expert_rows") == 10 * 7 * 4)
    // Matrices that a token meets; embedding rows are read, and the head is needed for five of ten tokens.
    var perToken = 0
    inventory.forEach { parameter in
      guard parameter.shape.count == 2, ![.embedding, .head, .routedExperts].contains(parameter.part) else { return }
      perToken += parameter.count
    }
    // An expert of all layers.
    perToken += 4 * inventory.parametersPerExpert
    #expect(sum(record, "parameters_applied") == 10 * perToken + 5 * 4096 * 256)
  }

  @Test("The same logits whoever divides the dense part, though ranks read other places of the numbers they share")
  func division() throws {
    func hash(_ division: String, _ ranks: Int) throws -> String {
      let options = ["--dense-slices", division, "--threads", "1"]
      let record = try simulate(["mini", "--quant", "q8_0", "-p", "5", "-n", "4"] + options, ranks: ranks)
      return try #require(record["tokens"]?["logits"]?.string)
    }
    let alone = try hash("none", 2)
    #expect(try hash("all", 2) == alone)
    #expect(try hash("all", 3) == alone)
  }

  @Test("The report says PHANTOM of every time")
  func marks() throws {
    let run = try Run(["simulate", "tiny", "-p", "3", "-n", "2", "--quiet"])
    #expect(run.status == 0, "\(run.errors)")
    for line in run.text.split(separator: "\n") where line.contains("tokens/s") || line.contains("loading") {
      #expect(line.hasSuffix("PHANTOM"), "\(line)")
    }
    let words = run.text.split { $0.isWhitespace }.joined(separator: " ")
    #expect(words.contains("experts placed: 48 (16.0 x 3 layers); run per token: 12.0 (4.00 x 3); both counted"))
  }

  @Test("A skewed gate loads few experts with most rows")
  func skew() throws {
    func busiest(_ skew: String) throws -> Double {
      let record = try simulate(["mini", "-p", "64", "-n", "0", "--skew", skew], ranks: 4)
      return record["expert_load_imbalance"]?.double ?? 0
    }
    #expect(try busiest("2") > busiest("0"))
  }

  @Test(
    "What cannot be simulated is refused",
    arguments: [
      (["v2-lite", "--skew", "1"], "no correction bias"), (["r2"], "MODEL: expected a config.json"),
      (["tiny", "--quant", "fp8"], "fp8"), (["tiny", "-p", "600"], "-p, -n: expected at most 512"),
    ] as [([String], String)])
  func refusals(_ arguments: [String], _ text: String) throws {
    let run = try Run(["simulate"] + arguments)
    #expect(run.status == 2 && run.errors.contains(text), "\(run.status) \(run.errors)")
  }
}

@Suite("Simulation on modelled nodes")
struct VirtualSimulationTests {
  private static let examples = Fixtures.root.deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Cluster/examples")
  private static let cluster = examples.appending(path: "8-nodes-64GB-1GbE.json").filePath
  private static let twoDomains = examples.appending(path: "4-nodes-dual-socket-256GB-25GbE.json").filePath

  @Test("R1 on eight modelled nodes in seconds: every speed predicted, uneven use another")
  func cluster() throws {
    let arguments = ["simulate", "r1", "--quant", "q4_K", "--cluster", Self.cluster, "-n", "16"]
    let even = try Run(arguments)
    #expect(even.status == 0 && even.errors == "", "\(even.errors)")
    #expect(even.text.contains("8 ranks on 8 nodes") && even.text.contains("Decode PREDICTED: "))
    #expect(!even.text.contains("PHANTOM"))
    func speed(_ more: [String]) throws -> Double {
      let run = try Run(arguments + more + ["--json"])
      let json = try StrictJSON.parse(run.text)
      #expect(json["is_predicted"]?.bool == true)
      return Double(json["decode_tokens_per_second"]?.number?.text ?? "") ?? 0
    }
    let (plain, skewed) = (try speed([]), try speed(["--skew", "2"]))
    #expect(plain > 0 && skewed > 0 && plain != skewed, "\(plain), \(skewed)")
  }

  @Test("The dense part is divided as asked, with the planner's placement and with a file's")
  func division() throws {
    func simulate(_ options: [String]) throws -> (slices: String?, ranks: Int) {
      let cluster = ["--cluster", Self.twoDomains, "-p", "8", "-n", "2", "--json"]
      let run = try Run(["simulate", "bench-3b", "--quant", "q4_K"] + cluster + options)
      #expect(run.status == 0, "\(run.errors)")
      let facts = try StrictJSON.parse(run.output)
      return (facts["slices"]?.string, facts["ranks"]?.int ?? 0)
    }
    func slices(_ options: [String]) throws -> String? { try simulate(options).slices }
    // Not what is chosen where nobody asks.
    #expect(try slices([]) != "" && slices(["--dense-slices", "none"]) == "")
    #expect(try slices(["--dense-slices", "host"]) == "1")
    let all = try simulate(["--dense-slices", "all"])
    #expect(all.slices == (all.ranks == 2 ? "1" : "1-\(all.ranks - 1)"))
    try withTemporaryPath { (path: String) throws in
      let file = ["--placement-for", "6", "--dense-slices", "all", "--write-placement", path]
      #expect(try Run(["inspect", "--like", "bench-3b"] + file).status == 0)
      #expect(try slices(["--placement", path]) == "1-5")
      // Four nodes: the fifth rank is on the first one again.
      #expect(try slices(["--placement", path, "--dense-slices", "host"]) == "4")
      let many = ["--cluster", Self.twoDomains, "-p", "8", "-n", "2", "--placement", path, "--parallel"]
      func said(_ sequences: String) throws -> String {
        try Run(["simulate", "bench-3b", "--quant", "q4_K"] + many + [sequences]).text
          .split(whereSeparator: \.isWhitespace).joined(separator: " ")
      }
      #expect(try said("32").contains("6 ranks divide the dense part of generated tokens."))
      #expect(try said("33").contains("generated tokens is not divided, since a step has 33 rows, more than 32, and"))
    }
  }

  @Test("Options that make no sense together, and files of another kind")
  func refused() throws {
    for (arguments, words) in [
      (["r1", "--replay", "/no/record"], "/no/record"),
      (["r1", "--cluster", "x", "--replay", "x", "--skew", "1"], "exclude each other"),
      (["r1", "--cluster", Self.cluster, "--record", "x"], "there is nothing to record"),
      (["r1", "--cluster", "x", "--router-rank", "1"], "leave out --router-rank"),
      (["r1", "--cluster", "x", "--threads", "1"], "leave out --threads"),
      (["r1", "--cluster", "x", "--dense-slices", "some"], "--dense-slices"),
      (["r1", "--cluster", "/no/file"], "/no/file"),
      (["r1", "--quant", "q8_0", "--cluster", Self.cluster], "too little memory"),
      (["minni"], "MODEL: expected a config.json"),
    ] {
      let run = try Run(["simulate"] + arguments)
      #expect(run.status == 2 && run.errors.contains(words), "\(arguments): \(run.errors)")
    }
  }
}
