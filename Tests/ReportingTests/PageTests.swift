import Foundation
import Inference
import Kernels
import Reporting
import StrictJSON
import TestSupport
import Testing

@Suite("Pages about runs")
struct PageTests {
  @Test("No text of a record becomes markup, wherever it stands")
  func hostile() {
    let evil = "\"'><script>alert(1)</script><img src=x onerror=y>&\u{202E}\u{1B}[31m"
    let record = madeUp {
      $0.model.name = evil
      $0.host = evil
      $0.command = ["flotilla", evil]
      $0.launcher = ["mpirun", evil]
      $0.flotilla = evil
      $0.date = evil
      $0.setup.format = evil
      $0.setup.instructionSet = evil
      for rank in $0.ranks.indices {
        $0.ranks[rank].host = evil
        $0.ranks[rank].roles = [evil]
      }
    }
    let page = RunPage([record], notes: [evil])
    for text in [page.text, page.markdown, ThroughputReport(record).text, ThroughputReport(record).markdown] {
      #expect(!text.contains("\u{1B}") && !text.contains("\u{202E}"), "\(text)")
    }
    // What is in a fence is no markup.
    for markdown in [page.markdown, ThroughputReport(record).markdown] {
      let outside = markdown.components(separatedBy: "```").enumerated().filter { $0.offset % 2 == 0 }.map(\.element)
      #expect(!outside.joined().contains("<") && outside.joined().contains("&lt;script>alert(1)"), "\(markdown)")
    }
    let html = page.html
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

  @Test("Bars and their names fit any width: lengths are parts of it, and stay within")
  func narrow() throws {
    let html = RunPage([madeUp { $0.ranks[0].timeline = [.init(phase: "gate", start: 0, end: 1)] }]).html
    let bars = html.matches(of: /<rect x="([0-9.]+)%" y="[0-9.]+" width="([0-9.]+)%"/)
    #expect(bars.count > 6)
    for bar in bars { #expect(try #require(Double(bar.1)) + (try #require(Double(bar.2))) < 100.1, "\(bar.0)") }
    #expect(html.contains("rank 0 (node0): 1.00 s</text>") && html.components(separatedBy: "<svg xmlns").count == 5)
  }

  @Test("Nothing is fetched: no address, no script")
  func selfContained() {
    let html = RunPage([madeUp()]).html
    #expect(!html.contains("src=") && !html.contains("href=") && !html.contains("@import") && !html.contains("url("))
    #expect(html.replacing("http://www.w3.org/2000/svg", with: "").contains("http:") == false)
  }

  @Test("Runs of one setup are repeats with their spread; another setup gets a column of its own")
  func repeats() {
    let records = [3.0, 1, 2].map { speed in madeUp { $0.rates.decode = speed } }
    let text = RunPage(records).text
    #expect(text.contains("2.00 (1.00 to 3.00) tokens/s"), "\(text)")
    #expect(text.contains("3: median (least to most)"))
    let two = RunPage(records + [madeUp { $0.setup.format = "q4_K" }]).markdown
    #expect(two.contains("| Setup 1 | Setup 2 |") && two.contains("Where the time went of setup 2"))
    // Of an even number the middle of the two in the middle, also where it is read first.
    let pair = RunPage([34.3, 123.7].map { speed in madeUp { $0.rates.decode = speed } })
    #expect(pair.text.contains("79.0 (34.3 to 124) tokens/s"), "\(pair.text)")
    #expect(pair.html.contains("<strong>79.0 tokens/s</strong>"))
  }

  @Test("What crossed, by rank; a record without such counts has no matrix")
  func matrix() {
    let text = RunPage([madeUp()]).text
    #expect(text.contains(#/\n  rank 2 +2.93 KiB \(7\) +2.93 KiB \(7\) +–\n/#), "\(text)")
    #expect(text.contains("11.7 KiB in 42 messages"), "\(text)")
    #expect(!RunPage([record(madeUpSummary(ranks: 3))]).text.contains("What crossed"))
    #expect(!RunPage([madeUp(ranks: 1)]).text.contains("What crossed"))
  }

  @Test("What is not recorded is said to be so; times of a phantom are marked, each of them")
  func honest() {
    #expect(
      RunPage([madeUp { $0.ranks[0].storageBytesRead = 0 }]).text.contains(
        #/read from storage by all ranks +not recorded/#))
    let cold = madeUp { for rank in 0..<3 { $0.ranks[rank].storageBytesRead = rank << 20 } }
    #expect(RunPage([cold]).text.contains("3.00 MiB, the rest was in the page cache"))
    let text = RunPage([madeUp()]).text
    #expect(text.contains("SHA-256 of the program") && text.contains("not recorded"))
    let phantom = RunPage([madeUp { $0.phantom = true }])
    let lines = phantom.text.split(separator: "\n").map(String.init)
    for name in ["decode", "prompt", "first token", "loading"] {
      let line = lines.first { $0.hasPrefix("  \(name) ") } ?? ""
      #expect(line.hasSuffix("PHANTOM"), "\(name): \(line)")
    }
    #expect(phantom.html.components(separatedBy: "PHANTOM").count > 8)
  }

  @Test("On a page of real runs and phantoms it says which are which; a phantom's load and memory are marked")
  func mixed() {
    let real = RunPage([madeUp()]).text
    let mixed = RunPage([madeUp(), madeUp { $0.phantom = true }]).text
    #expect(
      !real.contains("PHANTOM") && mixed.contains("PHANTOM (setup 2 alone; the others are real runs): true shapes"))
    let phantom = RunPage([madeUp { $0.phantom = true }]).text
    #expect(
      phantom.contains("PHANTOM: true shapes") && phantom.contains(#/Busy PHANTOM +Memory PHANTOM\n/#), "\(phantom)")
    #expect(phantom.contains(#/bits per weight .*PHANTOM\n/#) && phantom.contains("c0ffee PHANTOM\n"))
    let report = ThroughputReport(madeUp { $0.phantom = true }).text
    #expect(report.contains("Ranks PHANTOM (roles") && report.contains("Busy and Resident: PHANTOM"), "\(report)")
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
    #expect(!RunPage([madeUp()]).text.contains("The end of the last step"))
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
    let same = [madeUp { $0.tokens.logits = "aa" }, madeUp { $0.tokens.logits = "aa" }]
    let text = RunPage(same, perplexities: [result]).text
    #expect(
      text.contains("0.250 nats from f32 in the mean of 126 tokens; the same most probable token at 50.0 %"), "\(text)")
    #expect(text.contains("aa, in all 2 runs"))
    #expect(RunPage(same + [madeUp { $0.tokens.logits = "bb" }]).text.contains("in 2 of 3 runs"))
    let other = RunPage([madeUp { $0.setup.format = "q4_K" }], perplexities: [result]).text
    #expect(other.contains(#/KL divergence of q4_K +not recorded/#))
  }

  @Test("The launcher's line holds that of the program, or both are shown; how tokens were drawn")
  func command() {
    let own = ["flotilla", "generate", "-p", "Is 6/2?"]
    func page(_ launcher: [String]?, _ sampling: RunRecord.Sampling?) -> String {
      RunPage([
        madeUp {
          ($0.command, $0.launcher, $0.sampling) = (own, launcher, sampling)
        }
      ]).markdown
    }
    let request = GenerationRequest(
      prompt: [1], maxTokens: 4, sampling: SamplingOptions(temperature: 0.6, topK: 40, topP: 0.95, seed: .max))
    let text = page(["mpirun", "-n", "3"] + own, .init(request))
    #expect(text.contains("```sh\nmpirun -n 3 flotilla generate -p 'Is 6/2?'\n```"), "\(text)")
    #expect(text.contains("temperature 0.6, top-k 40, top-p 0.95, seed 18446744073709551615; at most 4 tokens"))
    #expect(text.contains("| 3 ranks on 3 hosts |"))
    #expect(page(["mpirun", "wrapper"], nil).contains("```sh\nmpirun wrapper\nflotilla generate -p 'Is 6/2?'\n```"))
    let greedy = page(nil, .init(GenerationRequest(prompt: [1], maxTokens: .max, sampling: .init(topP: 0.95))))
    #expect(greedy.contains("greedy (temperature 0), seed 0; tokens up to the context of 256"))
    #expect(greedy.contains("3 ranks on 3 hosts; the launcher's line is not recorded"))
    #expect(page(nil, .init(seed: 3, maxTokens: 8)).contains("random tokens, seed 3; at most 8 tokens"))
    #expect(page(nil, nil).contains("not recorded, but for what the command above says"))
  }

  @Test("Bits per weight are counted; a mean over prompt and decode is said to be one, decode shown where it is known")
  func weights() {
    let text = RunPage([madeUp { ($0.model.parameters, $0.model.weightBytes) = (1000, 612) }]).text
    #expect(text.contains("4.90 in the mean of all (612 B for 1.00k); format bf16"), "\(text)")
    // 15 tokens through the layers, 3 of them in steps that only generated.
    #expect(text.contains(#/weights read per token, mean of prompt and decode +195 KiB, counted/#))
    #expect(!text.contains("per token of decode"))
    let one = RunPage([madeUp(ranks: 1) { $0.ranks[0].weightBytesReadInDecode = 300 << 10 }]).text
    #expect(one.contains(#/weights read per token of decode +100 KiB, counted/#), "\(one)")
    #expect(one.contains("not recorded; format bf16"))
  }

  @Test("Shares of a token's way never exceed the whole, whatever a record says")
  func phases() {
    let text = RunPage([madeUp { $0.phases = ["attention": 1.5, "wait": 0.5] }]).text
    #expect(text.contains(#/attention +100 ms +75.0 %/#) && text.contains(#/wait +33.3 ms +25.0 %/#), "\(text)")
  }

  @Test("Machines that are not those of the description are told of")
  func differences() throws {
    var cluster = try ClusterDescription.load(
      Fixtures.url("../../Cluster/examples/4-nodes-dual-socket-256GB-25GbE.json"))
    cluster.nodes[0].cpu = "Made-up CPU"
    var record = madeUp(ranks: 4)
    record.surroundings = .init(
      machine: .ofThisMachine(), sockets: 1, binary: nil, mpi: nil, mpiParameters: nil)
    record.surroundings?.machine.cpu = "Made-up CPU"
    #expect(MachineDifferences(of: record, cluster, [0, 1, 2, 3]).texts.isEmpty)
    record.surroundings?.machine.cpu = "Another"
    let texts = MachineDifferences(of: record, cluster, [0, 1, 0, 1]).texts
    #expect(
      texts == [
        "the coordinator's processor was Another, and is Made-up CPU there",
        "the run was on 4 hosts, and is on 2 hosts there",
        "ranks on a host were 1, 1, 1, 1, and are 2, 2 there",
      ])
  }

  @Test("A routing record without tokens says so, and claims no even use of experts")
  func noTokens() throws {
    let header =
      #"{"flotilla_routing":1,"model":"m","checkpoint":"c","phantom":false,"experts":8,"groups":1,"experts_per_token":2,"#
      + #""layers":[1,2]}"#
    let record = try RoutingRecord(Array((header + "\nhalf").utf8), file: "r")
    let page = RoutingPage(record, name: "run.routing", placement: nil, improvement: nil)
    #expect(page.text.contains("run.routing: no tokens, so it says nothing about the use of experts."), "\(page.text)")
    #expect(page.text.contains("The last step was not whole") && !page.html.contains("the mean"))
  }

  @Test("Mutated records never crash a reader or a page")
  func mutatedRecordsNeverCrash() throws {
    let line = try madeUp().jsonLine() + [10]
    let numbers = ["4611686018427387904", "72057594037927936", "1125899906842624", "1e-300", "1e300", "-5"]
    var mutator = Mutator(seed: 3, words: numbers)
    let limits = Calibration(date: "today", flotilla: "1.2.3", hosts: [], links: [])
    for _ in 0..<fuzzCount(1500) {
      let records = try readRecords(mutator.mutated(line)).records
      let page = RunPage(records, limits: limits)
      #expect(!page.html.isEmpty && !page.text.isEmpty)
    }
  }
}
