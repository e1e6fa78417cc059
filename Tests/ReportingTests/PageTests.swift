import Foundation
import Inference
import Kernels
import Reporting
import StrictJSON
import TestSupport
import Testing

@Suite("Pages about runs")
struct PageTests {
  private func made(ranks: Int = 3, _ change: (inout RunRecord) -> Void = { _ in }) -> RunRecord {
    var record = record(madeUpSummary(ranks: ranks, hosts: ranks))
    for rank in 0..<ranks {
      record.ranks[rank].bytesSentTo = (0..<ranks).map { $0 == rank ? 0 : 1000 * (rank + 1) }
      record.ranks[rank].messagesSentTo = (0..<ranks).map { $0 == rank ? 0 : 7 }
      record.ranks[rank].weightBytesRead = 1_000_000
    }
    change(&record)
    return record
  }

  @Test("No text of a record becomes markup, wherever it stands")
  func hostile() {
    let evil = "\"'><script>alert(1)</script><img src=x onerror=y>&\u{202E}\u{1B}[31m"
    let record = made {
      $0.model.name = evil
      $0.host = evil
      $0.command = ["flotilla", evil]
      $0.flotilla = evil
      $0.date = evil
      $0.setup.format = evil
      $0.setup.instructionSet = evil
      for rank in $0.ranks.indices {
        $0.ranks[rank].host = evil
        $0.ranks[rank].roles = [evil]
      }
    }
    let html = RunPage([record]).html
    #expect(!html.contains("<script") && !html.contains("<img") && html.contains("&lt;script&gt;alert(1)"))
    #expect(!html.contains("\u{1B}") && !html.contains("\u{202E}"))
    // Tags open and close each other in order.
    var open: [Substring] = []
    for match in html.matches(of: /<(\/?)([a-zA-Z0-9]+)[^>]*>/) {
      if ["meta", "DOCTYPE"].contains(match.2) { continue }
      if match.1.isEmpty { open.append(match.2) } else { #expect(open.popLast() == match.2) }
    }
    #expect(open.isEmpty)
  }

  @Test("Nothing is fetched: no address, no script")
  func selfContained() {
    let html = RunPage([made()]).html
    #expect(!html.contains("src=") && !html.contains("href=") && !html.contains("@import") && !html.contains("url("))
    #expect(html.replacing("http://www.w3.org/2000/svg", with: "").contains("http:") == false)
  }

  @Test("Runs of one setup are repeats with their spread; another setup gets a column of its own")
  func repeats() {
    let records = [3.0, 1, 2].map { speed in made { $0.rates.decode = speed } }
    let text = RunPage(records).text
    #expect(text.contains("2.00 (1.00 to 3.00) tokens/s"), "\(text)")
    #expect(text.contains("3: median (least to most)"))
    let two = RunPage(records + [made { $0.setup.format = "q4_K" }]).markdown
    #expect(two.contains("| Setup 1 | Setup 2 |") && two.contains("Where the time went of setup 2"))
  }

  @Test("What crossed, by rank; a record without such counts has no matrix")
  func matrix() {
    let text = RunPage([made()]).text
    #expect(text.contains(#/\n  rank 2 +2.93 KiB \(7\) +2.93 KiB \(7\) +–\n/#), "\(text)")
    #expect(text.contains("11.7 KiB in 42 messages"), "\(text)")
    #expect(!RunPage([record(madeUpSummary(ranks: 3))]).text.contains("What crossed"))
    #expect(!RunPage([made(ranks: 1)]).text.contains("What crossed"))
  }

  @Test("What is not recorded is said to be so; times of a phantom are marked, each of them")
  func honest() {
    #expect(
      RunPage([made { $0.ranks[0].storageBytesRead = 0 }]).text.contains(
        #/read from storage by all ranks +not recorded/#))
    let cold = made { for rank in 0..<3 { $0.ranks[rank].storageBytesRead = rank << 20 } }
    #expect(RunPage([cold]).text.contains("3.00 MiB, the rest was in the page cache"))
    let text = RunPage([made()]).text
    #expect(text.contains("SHA-256 of the program") && text.contains("not recorded"))
    let phantom = RunPage([made { $0.phantom = true }])
    let lines = phantom.text.split(separator: "\n").map(String.init)
    for name in ["decode", "prompt", "first token", "loading"] {
      let line = lines.first { $0.hasPrefix("  \(name) ") } ?? ""
      #expect(line.hasSuffix("PHANTOM"), "\(name): \(line)")
    }
    #expect(phantom.html.components(separatedBy: "PHANTOM").count > 8)
  }

  @Test("The end of the last step: three layers with experts, cut where they begin")
  func stepEnd() throws {
    var summary = madeUpSummary(ranks: 2)
    func layer(_ start: Double) -> [Timeline.Piece] {
      [
        .init(.attention, start: start, end: start + 2), .init(.dispatch, start: start + 2, end: start + 3),
        .init(.combine, start: start + 8, end: start + 9),
      ]
    }
    summary.ranks[0].timeline =
      (0..<5).flatMap { layer(100 + 10 * Double($0)) } + [.init(.sampling, start: 150, end: 151)]
    summary.ranks[1].timeline = (0..<5).map {
      .init(.expertCompute, start: 103 + 10 * Double($0), end: 108 + 10 * Double($0))
    }
    let record = record(summary)
    let (own, other) = (try #require(record.ranks[0].timeline), try #require(record.ranks[1].timeline))
    // From the end of the second layer, at 119.
    #expect(own.map(\.start) == [1, 3, 9, 11, 13, 19, 21, 23, 29, 31] && own.last?.end == 32)
    #expect(other.map(\.start) == [4, 14, 24] && other.allSatisfy { $0.phase == "expert_compute" })
    let page = RunPage([record])
    #expect(page.text.contains("The end of the last step") && page.html.contains("15.0 s from 1.00 s") == false)
    #expect(page.html.contains("rank 1 (node0), expert compute: 5.00 s from 4.00 s"))
    #expect(!RunPage([made()]).text.contains("The end of the last step"))
  }

  @Test("A format's divergence and the logits' hash stand with the evidence; repeats that differ are told apart")
  func evidence() throws {
    let none = #"{"value": 0}"#
    let spread = #"{"mean":{"value":0.25},"minimum":0,"p1":0,"p10":0,"p50":0,"p90":0,"p99":0,"maximum":0}"#
    let json = """
      {"window": 64, "windows": 2, "tokens": 126, "format": "bf16", "perplexity": \(none), "comparison": {
        "base_format": "f32", "base_perplexity": \(none), "log_ratio": \(none), "divergence": \(spread),
        "probability_difference": \(spread), "probability_difference_rms": 0, "same_top": {"value": 0.5}}}
      """
    let result = try JSONDecoder().decode(PerplexityResult.self, from: Data(json.utf8))
    let same = [made { $0.tokens.logits = "aa" }, made { $0.tokens.logits = "aa" }]
    let text = RunPage(same, perplexities: [result]).text
    #expect(
      text.contains("0.250 nats from f32 in the mean of 126 tokens; the same most probable token at 50.0 %"), "\(text)")
    #expect(text.contains("aa, in all 2 runs"))
    #expect(RunPage(same + [made { $0.tokens.logits = "bb" }]).text.contains("in 2 of 3 runs"))
    let other = RunPage([made { $0.setup.format = "q4_K" }], perplexities: [result]).text
    #expect(other.contains(#/KL divergence of q4_K +not recorded/#))
  }

  @Test("Names of hosts and folders are gone, the same one for the same host")
  func redacted() throws {
    var names: [String: String] = [:]
    let record = made {
      $0.command = ["/home/alice/flotilla", "generate", "--hosts", "node1"]
      $0.surroundings = .init(
        machine: .ofThisMachine(), sockets: 1, binary: "00", mpi: "Open MPI",
        mpiParameters: ["OMPI_MCA_btl_tcp_if_include": "10.0.0.0/24"])
    }
    let page = RunPage([record.redacted(&names)]).text
    #expect(!page.contains("node1") && !page.contains("alice") && !page.contains("10.0.0"), "\(page)")
    #expect(page.contains("host-1") && page.contains("…/flotilla"))
  }

  // MARK: Reading

  private func read(_ bytes: [UInt8]) throws -> [RunRecord] {
    let file = FileManager.default.temporaryDirectory.appending(path: "records-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: file) }
    try Data(bytes).write(to: file)
    return try RunRecord.read(file.path)
  }

  @Test("Lines of --record and of --json; a last line that is cut is passed over")
  func reading() throws {
    let line = try made().jsonLine()
    #expect(try read(line + [10] + line + [10] + line.dropLast(20)).count == 2)
    let json = Array("{\"prompt\":0,\"finish\":\"end\"}\n{\"run\":".utf8) + line + Array("}\n".utf8)
    #expect(try read(json) == [made()])
  }

  @Test("What is wrong is named with line and field")
  func wrong() throws {
    let line = String(decoding: try made().jsonLine(), as: UTF8.self)
    for (text, words) in [
      ("", "records: expected a line for each run"), ("{\"a\":1}\n", "line 1: schema: expected 1, found nothing"),
      (line + "\nx\n" + line + "\n", "line 2: JSON"),
      (line.replacing("\"steps\":4", with: "\"steps\":\"4\"") + "\n", "line 1: steps"),
      (line.replacing("\"schema\":1", with: "\"schema\":2") + "\n", "line 1: schema"),
      (line.replacing("\"steps\":4", with: "\"steps\":-4") + "\n", "line 1: counts"),
      (
        line.replacing("\"rank\":1,", with: "\"rank\":1,\"timeline\":[{\"phase\":\"gate\",\"start\":2,\"end\":1}],")
          + "\n",
        "line 1: timeline"
      ),
      (line.replacing("\"rank\":1,", with: "\"rank\":7,") + "\n", "line 1: ranks"),
    ] {
      let error = #expect(throws: RecordReadingError.self) { try read(Array(text.utf8)) }
      #expect(error?.description.contains(words) == true, "\(words): \(error?.description ?? "")")
    }
  }

  @Test("Mutated records never crash a reader or a page")
  func mutatedRecordsNeverCrash() throws {
    let line = try made().jsonLine() + [10]
    var mutator = Mutator(seed: 3)
    for _ in 0..<fuzzCount(1500) {
      guard let records = try? read(mutator.mutated(line)) else { continue }
      let page = RunPage(records)
      #expect(!page.html.isEmpty && !page.text.isEmpty)
    }
  }
}
