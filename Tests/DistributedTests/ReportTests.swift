import Foundation
import Inference
import StrictJSON
import TestSupport
import Testing

@Suite("What a run tells", .serialized)
struct ReportTests {
  @Test("The built-in model answers on four ranks, and its record proves that only active experts ran")
  func record() throws {
    try withTemporaryFolder { folder in
      let file = folder.appending(path: "runs.jsonl")
      let arguments = ["generate", "-p", "What is 478 + 256?", "--temp", "0", "--record", file.filePath]
      let job = try flotilla(arguments, ranks: 4)
      #expect(job.status == 0, "\(job.errors)")
      #expect(job.output.last == "734")
      #expect(job.output.first?.hasPrefix("<think>") == true)
      #expect(try flotilla(arguments + ["--quiet"], ranks: nil).output == job.output)

      let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
      #expect(lines.count == 2)
      // The same logits, on four ranks and on one.
      let logits = try lines.map { try StrictJSON.parse(Data($0.utf8)).object!["tokens"]!.object!["logits"]?.string }
      #expect(logits[0]?.count == 64 && logits[0] == logits[1])
      let host = ProcessInfo.processInfo.hostName
      #expect(try lines.map { try StrictJSON.parse(Data($0.utf8)).object!["host"]?.string } == [host, host])
      let record = try StrictJSON.parse(Data(lines[0].utf8)).object!
      let ranks = record["ranks"]!.array!.map { $0.object! }
      #expect(ranks.count == 4)
      let computed = record["tokens"]!.object!["computed"]!.int!
      #expect(ranks.reduce(0) { $0 + $1["expert_rows"]!.int! } == computed * 5 * 4)
      #expect(ranks.allSatisfy { $0["messages_sent"]!.int! > 0 })
      // The coordinator has enough to do.
      let held = ranks.map { $0["experts_held"]!.int! }
      #expect(held.reduce(0, +) == 32 && held[0] < 8 && held[1...].allSatisfy { $0 == held[1] || $0 == held[1] - 1 })
      let sent = ranks.reduce(0) { $0 + $1["bytes_sent"]!.int! }
      let received = ranks.reduce(0) { $0 + $1["bytes_received"]!.int! }
      #expect(sent > 0 && abs(sent - received) < 20_000)
      let perToken = record["parameters_per_token"]!.double!
      let total = Double(record["model"]!.object!["parameters"]!.int!)
      #expect(perToken > 0.2 * total && perToken < 0.26 * total)
    }
  }

  @Test("What the coordinator does in steps adds up to them at most", arguments: [nil, 2])
  func phases(_ ranks: Int?) throws {
    try withTemporaryFolder { folder in
      let file = folder.appending(path: "run.jsonl").filePath
      // Long enough that other work on the machine falls into phases as often as between them.
      let length = ["--ignore-eos", "-n", "400"]
      let run = ["generate", "-p", "Is 6/2 equal to 3?", "--temp", "0"] + length + ["-q", "--record", file]
      for _ in 0..<3 { #expect(try flotilla(run, ranks: ranks).status == 0) }
      for line in try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n") {
        let record = try StrictJSON.parse(Data(line.utf8))
        let phases = record["phases"]!.object!.members.reduce(0) { $0 + $1.value.double! }
        let steps = record["seconds"]!["prefill"]!.double! + record["seconds"]!["decode"]!.double!
        #expect(phases <= steps * 1.01, "\(phases) s in steps of \(steps) s")
        #expect(phases >= steps * 0.5)
        let launcher = record["launcher"]?.array?.compactMap(\.string)
        #expect(launcher?.first == ranks.map { _ in "mpirun" })
        #expect(launcher?.suffix(run.count).elementsEqual(run) ?? true)
        #expect(record["sampling"]?["temperature"]?.double == 0 && record["sampling"]?["max_tokens"]?.int == 400)
        #expect(record["model"]!["weight_bytes"]!.int! > 2 * record["model"]!["parameters"]!.int!)
        #expect((record["ranks"]!.array![0]["weight_bytes_read_in_decode"]?.int ?? 0) > 0)
      }
    }
  }

  @Test("Ctrl-C ends a generation with its report and exit code 130")
  func interrupted() throws {
    try withTemporaryFolder { folder in
      let model = folder.appending(path: "mini").filePath
      _ = try flotilla(["synthesize", model, "--like", "mini", "--seed", "1"], ranks: nil)
      let job = try flotilla(
        ["generate", model, "-p", "a", "--raw", "--ignore-eos", "--temp", "0"], ranks: nil,
        meanwhile: { job in
          guard !job.output.isEmpty else { return false }
          kill(job.process, SIGINT)
          return true
        })
      #expect(job.status == 130, "\(job.errors)")
      #expect(job.errors.contains { $0.hasPrefix("Throughput") })
      #expect(job.isClean)
    }
  }
}

@Suite("What a person meets", .serialized)
struct UsageTests {
  @Test("A prompt that was taken for MODEL, no prompt, and a field that is missing")
  func mistakes() throws {
    let model = try flotilla(["generate", "What is 2 + 2?"], ranks: nil)
    #expect(model.status == 2)
    #expect(
      model.complaints == [
        "error: \"What is 2 + 2?\" was read as MODEL, and there is no such folder. A prompt goes behind -p."
      ])
    #expect(try flotilla(["generate"], ranks: nil).complaints.first?.hasPrefix("error: no prompt: ") == true)

    try withTemporaryFolder { folder in
      let copy = folder.appending(path: "model")
      try FileManager.default.copyItem(at: Fixtures.url("tiny-f32"), to: copy)
      let config = copy.appending(path: "config.json")
      let text = try String(contentsOf: config, encoding: .utf8)
      try text.replacingOccurrences(of: "\"num_experts_per_tok\"", with: "\"num_experts_per_token\"")
        .write(to: config, atomically: true, encoding: .utf8)
      let job = try flotilla(["generate", copy.filePath, "-p", "a", "--raw", "-n", "1"], ranks: nil)
      #expect(
        job.errors.contains("warning: config.json leaves out num_experts_per_tok: the official defaults are taken"))
    }
  }

  @Test("Interrupted writing leaves nothing")
  func interruptedSynthesis() throws {
    try withTemporaryFolder { folder in
      let model = folder.appending(path: "model")
      let job = try flotilla(
        ["synthesize", model.filePath, "--like", "bench-3b"], ranks: nil,
        meanwhile: { job in
          let files = (try? FileManager.default.contentsOfDirectory(atPath: model.filePath)) ?? []
          guard !files.isEmpty else { return false }
          kill(job.process, SIGINT)
          return true
        })
      #expect(job.status == 130, "\(job.errors)")
      #expect(!FileManager.default.fileExists(atPath: model.filePath))
    }
  }
}

/// `flotilla report` on records of real runs.
@Suite("Pages of real runs")
struct PageTests {
  private static let sum = ["-p", "What is 478 + 256?", "--temp", "0", "-q"]

  @Test("The routing of three ranks is that of one, byte for byte; a step in parts too")
  func routing() throws {
    try withTemporaryFolder { folder in
      let (one, three) = (folder.appending(path: "1").filePath, folder.appending(path: "3").filePath)
      for (ranks, path) in [(nil, one), (3, three)] as [(Int?, String)] {
        let job = try flotilla(["generate", "--record-routing", path] + Self.sum, ranks: ranks)
        #expect(job.status == 0, "\(job.errors)")
      }
      let bytes = try Data(contentsOf: URL(filePath: one))
      #expect(try bytes == Data(contentsOf: URL(filePath: three)))
      let record = try RoutingRecord(path: one)
      #expect(record.tokens > 30 && !record.isCut && record.steps[0].decodeTokens == 0)
      #expect(record.steps.dropFirst().allSatisfy { $0.decodeTokens == 1 && $0.tokens.count == 1 })
      let again = try flotilla(["generate", "--record-routing", one] + Self.sum, ranks: nil)
      #expect(again.status == 2 && again.errors.contains { $0.contains("there already") })
    }
  }

  @Test("A page of a run on three ranks with its routing: results, matrix, experts; a more even placement runs")
  func page() throws {
    try withTemporaryFolder { folder in
      func path(_ name: String) -> String { folder.appending(path: name).filePath }
      let run = ["generate", "--record", path("run.jsonl"), "--record-routing", path("run.routing")] + Self.sum
      #expect(try flotilla(run, ranks: 3).status == 0)
      let report = try flotilla(
        [
          "report", path("run.jsonl"), "--routing", path("run.routing"), "--ranks", "3", "--write-placement",
          path("better.json"), "-o", path("report.html"),
        ], ranks: nil)
      #expect(report.status == 0, "\(report.errors)")
      let html = try String(contentsOfFile: path("report.html"), encoding: .utf8)
      for words in ["Abacus", "What crossed between ranks", "Which experts ran", "more even for this record", "rank 2"]
      {
        #expect(html.contains(words), "\(words)")
      }
      let text = try flotilla(["report", path("run.jsonl")], ranks: nil)
      #expect(text.status == 0 && text.output.contains { $0.contains("SHA-256 of the program") })
      #expect(!text.output.contains { $0.contains("not recorded") && $0.contains("SHA") })
      let better = try flotilla(["generate", "--placement", path("better.json")] + Self.sum, ranks: 3)
      #expect(better.status == 0 && better.output.last == "734", "\(better.errors)")
    }
  }

  @Test(
    "A phantom that replays a record chooses its experts; its page has prediction beside measurement, and a timeline")
  func replay() throws {
    try withTemporaryFolder { folder in
      func path(_ name: String) -> String { folder.appending(path: name).filePath }
      let simulate = ["simulate", "mini", "--quant", "q4_K", "-p", "9", "-n", "3", "-q"]
      let first = try flotilla(simulate + ["--seed", "1", "--record-routing", path("a")], ranks: nil)
      #expect(first.status == 0, "\(first.errors)")
      let record = ["--record-routing", path("b"), "--record", path("run.jsonl")]
      let second = try flotilla(simulate + ["--seed", "2", "--replay", path("a")] + record, ranks: 3)
      #expect(second.status == 0, "\(second.errors)")
      let (a, b) = (try RoutingRecord(path: path("a")), try RoutingRecord(path: path("b")))
      #expect(a.experts == b.experts && a.tokens == 12)

      let cluster = try flotilla(["calibrate", "--hosts", "localhost:1", "-o", path("c.json"), "-q"], ranks: nil)
      #expect(cluster.status == 0, "\(cluster.errors)")
      let report = ["report", path("run.jsonl"), "--cluster", path("c.json")]
      let text = try flotilla(report, ranks: nil)
      #expect(text.status == 0, "\(text.errors)")
      #expect(text.output.contains { $0.contains("decode") && $0.contains("PHANTOM") && $0.contains("tokens/s") })
      #expect(text.output.contains { $0.contains("PREDICTED to wait most for") })
      #expect(text.output.contains { $0.hasPrefix("The end of the last step, rank by rank") })
      let other = try flotilla(report + ["--model", "r1"], ranks: nil)
      #expect(other.status == 2 && other.errors.contains { $0.contains("--model: expected the one of the record") })
    }
  }

  @Test("While a run goes on its file tells how far it is; its record takes that line's place")
  func progress() throws {
    try withBusyModel { model, folder in
      let path = folder.appending(path: "run.jsonl").filePath
      func lines() -> [Substring] { (try? String(contentsOfFile: path, encoding: .utf8))?.split(separator: "\n") ?? [] }
      var report: Job?
      let run = try flotilla(
        ["generate", model, "-p", "a", "--raw", "--ignore-eos", "--temp", "0", "-q", "--record", path], ranks: 2,
        meanwhile: { job in
          guard lines().first?.contains(#""progress":"#) == true else { return false }
          report = try? flotilla(["report", path], ranks: nil)
          kill(job.process, SIGINT)
          return true
        })
      #expect(report?.status == 0 && report?.output.first == "Flotilla: no run has ended yet", "\(run.errors)")
      #expect(report?.output.contains { $0.hasPrefix("mini runs: ") && $0.contains(" generated, ") } == true)
      let (left, record) = (lines(), try StrictJSON.parse(Data(try #require(lines().first).utf8)))
      #expect(left.count == 1 && record["schema"]?.int == 1 && record["id"]?.string?.count == 36)
    }
  }

  @Test("--follow goes on after a line that is none, and shows how far a run is without showing all again")
  func follow() throws {
    try withTemporaryFolder { folder in
      let path = folder.appending(path: "run.jsonl").filePath
      let run = ["generate", "--record", path] + Self.sum
      #expect(try flotilla(run, ranks: nil).status == 0)
      let record = try String(contentsOfFile: path, encoding: .utf8)
      let progress = #"""
        {"finish":"running","prompt":9,"progress":{"schema":1,"id":"x","date":"2026-01-01T00:00:00Z","flotilla":"1",\#
        "model":"other","phase":"decode","prompt_tokens":9,"prompt_total":9,"generated_tokens":7,"elapsed_seconds":3}}

        """#
      // A copy of the record would be left out.
      let id = try #require(try StrictJSON.parse(Data(record.utf8))["id"]?.string)
      let another = record.replacing(id, with: UUID().uuidString)
      var steps = [{ "no record\n" }, { another }, { progress }][...]
      let job = try flotilla(
        ["report", path, "--follow"], ranks: nil,
        meanwhile: { job in
          // A page for what was there, for the bad line, for the next run, and a line for what goes on.
          let shown = job.output.count { $0 == "Flotilla: Abacus" } + job.output.count { $0.hasPrefix("other has not") }
          guard shown == 4 - steps.count else { return false }
          guard let next = steps.popFirst() else {
            kill(job.process, SIGINT)
            return true
          }
          guard let file = FileHandle(forWritingAtPath: path) else { return true }
          _ = try? file.seekToEnd()
          try? file.write(contentsOf: Data(next().utf8))
          return false
        })
      #expect(job.output.count { $0 == "Flotilla: Abacus" } == 3, "\(job.output)")
      #expect(job.output.last?.contains("7 tokens generated, –, 3.00 s so far") == true)
      #expect(job.errors.count { $0.hasPrefix("note: line 2 of run.jsonl left out: JSON: ") } == 1, "\(job.errors)")
      let once = try flotilla(["report", path], ranks: nil)
      #expect(once.status == 0 && once.output.contains { $0.hasPrefix("line 2 of run.jsonl left out: ") })
    }
  }

  @Test("A disk that is full is no wrong option: exit code 1")
  func fullDisk() throws {
    let job = try flotilla(["generate", "--record", "/dev/full"] + Self.sum, ranks: nil)
    #expect(job.status == 1 && job.errors.contains("hint: The disk is full: free some of it"), "\(job.errors)")
  }

  @Test("A file that is something else: exit code 2, with what was expected")
  func foreign() throws {
    try withTemporaryFolder { folder in
      let path = folder.appending(path: "x").filePath
      try "{\"x\":1}\n".write(toFile: path, atomically: true, encoding: .utf8)
      for (arguments, words) in [
        (["report", path], "line 1: schema: expected 1, found nothing"),
        (["report", "--routing", path], "flotilla_routing: expected 1"), (["report"], "nothing to show"),
        (["report", path, "-o", "x.pdf"], ".html or .md"),
        (["report", "/no/file"], "/no/file: file: expected a readable file, found nothing there"),
        (["report", folder.filePath], "expected a readable file, found a folder"),
        (["report", "--routing", "/no/file"], "/no/file: file: expected a readable file, found nothing there"),
        (["report", path, "--ranks", "2"], "--ranks needs --routing"),
        (["report", path, "--model", "r1"], "--model needs --cluster"),
        (["report", path, "--perplexity", path], "expected the result of a perplexity"),
        (["report", path, "--cluster", path], "version: expected 1"),
      ] {
        let job = try flotilla(arguments, ranks: nil)
        #expect(job.status == 2 && job.errors.contains { $0.contains(words) }, "\(arguments): \(job.errors)")
      }
      let routing = folder.appending(path: "run.routing").filePath
      let run = ["generate", "--record", path + "2", "--record-routing", routing] + Self.sum
      #expect(try flotilla(run, ranks: nil).status == 0)
      let swapped = try flotilla(["report", routing], ranks: nil)
      #expect(swapped.status == 2 && swapped.errors.contains("hint: give it with --routing"), "\(swapped.errors)")
      let nowhere = try flotilla(["report", path + "2", "-o", "/no/folder/x.html"], ranks: nil)
      #expect(nowhere.status == 2 && nowhere.errors.contains { $0.hasSuffix("/no/folder to write to, found nothing") })
    }
  }
}
