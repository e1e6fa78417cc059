import Checkpoint
import ExpertParallel
import Foundation
import Inference
import StrictJSON
import TestSupport
import Testing

@Suite("What plan and simulate say")
struct PlanTextTests {
  private static let examples = Fixtures.root.appending(path: "../..").standardizedFileURL
    .appending(path: "Cluster/examples")
  private let small = examples.appending(path: "8-nodes-64GB-1GbE.json").filePath

  /// Lines of a paragraph end where the terminal does.
  private func words(_ text: String) -> String { text.split(whereSeparator: \.isWhitespace).joined(separator: " ") }

  @Test("Which tokens a plan rests on: a file and its tokens, independent gates, or even ones")
  func routing() throws {
    try withTemporaryPath { path in
      let recording = ["simulate", "mini", "--quant", "q8_0", "-p", "9", "-n", "2", "--record-routing", path, "--json"]
      #expect(try Run(recording).status == 0)
      let tokens = try RoutingRecord(path: path).tokens
      let base = ["mini", "--quant", "q8_0", "--cluster", small, "-p", "8", "-n", "2"]
      let recorded = "as recorded in \(path), \(tokens) tokens of a PHANTOM run, whose gates are random"
      let independent = "over 2048 tokens that choose independently"
      let even = "over 2048 tokens that choose any groups and any experts in them equally often"
      for (options, said) in [(["--routing", path], recorded), (["--gates", "independent"], independent), ([], even)] {
        for form in [[], ["--markdown"], ["--ranks", "2"], ["--ranks", "2", "--markdown"]] {
          let run = try Run(["plan"] + base + options + form)
          #expect(run.status == 0 && words(run.text).contains(said), "\(run.errors)\(run.text)")
          #expect(said == even || !words(run.text).contains(even))
        }
        for form in [[], ["--ranks", "2"]] {
          let facts = try StrictJSON.parse(Run(["plan"] + base + options + form + ["--json"]).output)
          #expect(facts["experts"]?.string?.hasPrefix(said) == true)
        }
      }
      let virtual = try Run(["simulate"] + base + ["--replay", path])
      #expect(words(virtual.text).contains("Experts: \(recorded)."), "\(virtual.errors)\(virtual.text)")
    }
  }

  @Test("The launch line has all that the plan was made for and that a run would choose otherwise")
  func launch() throws {
    try withTemporaryPath { path in
      let model = ["plan", "bench-3b", "--quant", "bf16", "--cluster", small, "-p", "8", "-n", "8"]
      let run = try Run(model + ["--cache-type", "f16", "--parallel", "8", "-c", "777", "-o", path])
      #expect(run.status == 0, "\(run.errors)")
      let file = try String(contentsOfFile: path + "/commands.txt", encoding: .utf8)
      for text in [file, run.text] {
        let line = try #require(text.split(separator: "\n").first { $0.contains("flotilla launch ") })
        for option in [" --cache-type f16", " -c 777", " --parallel 8", " --placement "] {
          #expect(line.contains(option), "\(line)")
        }
        #expect(text.contains("--quant bf16"))
      }
    }
  }

  @Test("Where only the coordinator's part is too large, a shorter context and fewer sequences are named, and fit")
  func coordinator() throws {
    let model = ["plan", "r1", "--quant", "q4_K", "--cluster", small, "-p", "512", "-n", "2"]
    let run = try Run(model + ["-c", "163840", "--parallel", "16"])
    #expect(run.status == 2 && !run.errors.contains("more nodes"), "\(run.errors)")
    let facts = try StrictJSON.parse(Run(model + ["-c", "163840", "--parallel", "16", "--json"]).output)
    let context = try #require(facts["fitting_context"]?.int)
    let sequences = try #require(facts["fitting_sequences"]?.int)
    #expect(run.errors.contains("it fits with -c \(context) or less, or with --parallel \(sequences) or less\n"))
    func fits(_ context: Int, _ sequences: Int) throws -> Bool {
      try Run(model + ["-c", "\(context)", "--parallel", "\(sequences)", "--json"]).status == 0
    }
    #expect(try fits(context, 16) && !fits(context + 64, 16))
    #expect(try fits(163_840, sequences) && !fits(163_840, sequences + 1))
  }

  @Test("All formats that fit are named")
  func formats() throws {
    let large = Self.examples.appending(path: "4-nodes-dual-socket-256GB-25GbE.json").filePath
    let facts = try StrictJSON.parse(Run(["plan", "r1", "--quant", "bf16", "--cluster", large, "--json"]).output)
    let names = facts["fitting_formats"]?.array?.compactMap(\.string)
    #expect(names == ["q4_K", "Q4_K_M", "q4_1", "q6_K", "q8_0", "fp8"])
  }

  @Test("What is needed and missing, what nodes may take and what is left over add up in JSON")
  func sums() throws {
    try withTemporaryPath { path in
      var cluster = try ClusterDescription.load(URL(filePath: small))
      for node in cluster.nodes.indices { cluster.nodes[node].memoryBytes.available = node << 26 }
      try cluster.json().write(to: URL(filePath: path))
      let facts = try StrictJSON.parse(
        Run(["plan", "bench-3b", "--quant", "q4_K", "--cluster", path, "--json"]).output)
      func bytes(_ key: String) throws -> Int { try #require(facts[key]?.int) }
      #expect(
        try bytes("needed_bytes") + bytes("left_bytes") == bytes("may_take") + bytes("missing_bytes"), "\(facts)")
      let nodes = try #require(facts["nodes"]?.array)
      #expect(try nodes.reduce(0) { $0 + ($1["missing_bytes"]?.int ?? 0) } == bytes("missing_bytes"))
    }
  }

  @Test("A run on modelled nodes is refused beyond the longest context, and says when memory was not looked at")
  func modelled() throws {
    let model = ["simulate", "r1", "--quant", "q4_K", "--cluster", small]
    let long = try Run(model + ["-p", "300000", "-n", "1"])
    #expect(long.status == 2 && long.errors.contains("163840"), "\(long.errors)")
    try withTemporaryPath { path in
      try Data(Placement.contiguous(experts: 256, ranks: 8).json.utf8).write(to: URL(filePath: path))
      let said = "Whether it fits into memory is not looked at."
      #expect(try words(Run(model + ["-n", "1", "--placement", path]).text).contains(said))
      #expect(try !words(Run(model + ["-n", "1"]).text).contains(said))
    }
    // A model with fewer positions than what is asked for by default.
    let tiny = try Run(["plan", "tiny", "--cluster", small])
    #expect(tiny.errors.contains("hint: give a shorter prompt with -p, or generate less with -n"), "\(tiny.errors)")
  }

  @Test("A page says what its limit counts and what the words of its sums mean")
  func meanings() throws {
    let model = ["plan", "r1", "--quant", "q4_K", "--cluster", small, "-p", "8", "-n", "2"]
    let page = try words(Run(model).text)
    let limit = try #require(
      page.firstMatch(of: #/Decode waits most for (.+?), (\d+) of (\d+) ms, by cause over all parts/#))
    let causes = try #require(page.firstMatch(of: #/The same ms by cause, over all parts: (.+?)\. A part/#))
    // The largest first; all of them are the step.
    #expect(causes.1.hasPrefix("\(limit.1) \(limit.2), "), "\(page)")
    let sum = causes.1.components(separatedBy: ", ").reduce(0) {
      $0 + (Double($1.split(separator: " ").last ?? "") ?? 0)
    }
    #expect(abs(sum / (Double(limit.3) ?? 0) - 1) < 0.01, "\(page)")
    #expect(page.contains("\"Beside\": to start jobs") && page.contains("0.300 in attention over the cache"))
    #expect(page.contains(#/ms of [0-9.]+ ms of (reading|computing) that do not overlap/#), "\(page)")
  }

  @Test("A calibration, a folder and an empty file are told from a cluster")
  func clusters() throws {
    try withTemporaryPath { path in
      func errors(_ text: String) throws -> String {
        try Data(text.utf8).write(to: URL(filePath: path))
        let run = try Run(["plan", "r1", "--cluster", path])
        #expect(run.status == 2)
        return run.errors
      }
      let calibration = try errors(#"{"schema": 1, "hosts": []}"#)
      #expect(
        calibration.contains("found a calibration") && calibration.contains("calibrate --hosts localhost -o FILE"))
      #expect(try errors("").contains("found an empty one"))
      #expect(try Run(["plan", "r1", "--cluster", "/tmp"]).errors.contains("found a folder"))
    }
  }

  @Test("A place that cannot be written to is refused before the work, in plain words")
  func places() throws {
    try withTemporaryPath { path in
      try Data().write(to: URL(filePath: path))
      let model = ["plan", "mini", "--quant", "q8_0", "--cluster", small, "-p", "8", "-n", "2", "-o"]
      for folder in [path, path + "/sub/plan"] {
        let run = try Run(model + [folder])
        #expect(run.status == 2 && run.output.isEmpty, "\(run.text)")
        #expect(run.errors.contains("found \(path), a file in place of a folder"), "\(run.errors)")
      }
    }
    let folder = FileManager.default.temporaryDirectory.filePath
    let run = try Run(["calibrate", "-o", folder])
    #expect(run.status == 2 && run.errors.contains("expected a file to write, found a folder"), "\(run.errors)")
  }

  @Test("Names are the same in any case, the built-in model's too")
  func names() throws {
    for name in ["abacus", "Tiny", "MINI"] {
      let run = try Run(["plan", name, "--cluster", small, "-p", "8", "-n", "2"])
      #expect(run.status == 0, "\(run.errors)")
    }
    #expect(try Run(["simulate", "ABACUS", "-p", "2", "-n", "1", "-q"]).status == 0)
    #expect(try Run(["plan", "nothing", "--cluster", small]).errors.contains("r1, Abacus, found"))
  }
}
