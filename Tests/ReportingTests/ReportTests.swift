import Foundation
import Inference
import Reporting
import Testing

@Suite("Throughput report")
struct ReportTests {
  @Test("Hosts with other kernels are named")
  func instructionSets() {
    var summary = madeUpSummary(ranks: 4, hosts: 2)
    summary.instructionSets = ["avx2", "avx2", "scalar", "scalar"]
    #expect(record(summary).setup.instructionSet == "avx2 on node0; scalar on node1")
  }

  @Test("Two ranks on a terminal")
  func terminal() {
    #expect(
      ThroughputReport(record(madeUpSummary(ranks: 2))).text == """
        Throughput
          model        made-up in bf16 (cache f32) on 2 ranks, 1 host, 4 threads in all,
                       avx2
          tokens       12 in, 4 out; 15 through the layers in 4 steps
          loading      1.50 s
          prefill      48.0 tokens/s (12 tokens in 250 ms)
          decode       4.00 tokens/s (3 tokens in 750 ms)
          first token  250 ms
          parameters   100k computed per token of 400k in total (25.0 %), counted from
                       what ran

        Where the time went
          Phase               Coordinator   Share  All ranks
          embedding                   0 s     0 %          –
          attention                400 ms  40.0 %          –
          dense feed-forward          0 s     0 %          –
          gate                        0 s     0 %        0 s
          dispatch                    0 s     0 %        0 s
          expert compute           200 ms  20.0 %     400 ms
          shared expert               0 s     0 %          –
          combine                     0 s     0 %        0 s
          wait                     100 ms  10.0 %          –
          head                    50.0 ms   5.0 %          –
          sampling                    0 s     0 %          –
          other                    250 ms  25.0 %          –
          in steps                 1.00 s   100 %          –

        Ranks (roles: C coordinator, R router, E experts)
          Rank Roles Held Active Rows   Busy     Sent Msgs Received Msgs Resident
             0 C·E      4      4   30 90.0 % 1.50 KiB   20 1.50 KiB   20  100 MiB
             1 ·RE      4      4   30 50.0 % 1.50 KiB   20 1.50 KiB   20  100 MiB
           all          8      8   60 70.0 % 3.00 KiB   40 3.00 KiB   40  200 MiB
          expert rows: 60 = 15 tokens x 2 expert layers x 2 experts: the chosen experts
          and no others; load max/mean 1.00
          (layer, expert) pairs ever activated: 8 of 16 (50.0 %)

        """)
  }

  @Test("Every line fits 80 columns", arguments: [1, 2, 3, 4, 8, 16, 64, 200])
  func width(_ ranks: Int) {
    let lines = ThroughputReport(record(madeUpSummary(ranks: ranks, hosts: min(ranks, 4)))).text
      .split(separator: "\n")
    #expect(lines.filter { $0.unicodeScalars.count > 80 } == [])
  }

  @Test("Large counts fit too")
  func largeCounts() {
    var summary = madeUpSummary(ranks: 3)
    for index in summary.ranks.indices {
      summary.ranks[index].expertRows = 99_999
      summary.ranks[index].traffic.messagesSent = 123_456_789
      summary.ranks[index].traffic.messagesReceived = 99_999
      summary.ranks[index].traffic.bytesSent = 1023 << 30
      summary.ranks[index].residentBytes = 1023 << 30
    }
    let text = ThroughputReport(record(summary)).text
    #expect(text.split(separator: "\n").filter { $0.unicodeScalars.count > 80 } == [])
    #expect(text.contains(" 99,999 ") && text.contains(" 123M "))
  }

  @Test("Many ranks are abridged on a terminal, and all there in Markdown")
  func manyRanks() {
    let report = ThroughputReport(record(madeUpSummary(ranks: 64)))
    #expect(report.text.contains("… and 48 more ranks"))
    #expect(report.text.split(separator: "\n").count < 50)
    for rank in 0..<64 { #expect(report.markdown.contains("| \(rank) | ")) }
  }

  @Test("A run without tokens or time claims no speed")
  func empty() {
    var summary = madeUpSummary(ranks: 1)
    summary.engine = EngineStatistics()
    summary.phases = .init()
    summary.tokensComputed = 0
    summary.ranks[0].expertRows = 0
    summary.ranks[0].busySeconds = 0
    let empty = record(summary)
    #expect(empty.rates.prefill == nil && empty.rates.decode == nil)
    let text = ThroughputReport(empty).text
    #expect(text.contains("prefill      – (0 tokens in 0 s)"))
    #expect(text.contains("first token  –"))
    #expect(text.contains("no token computed"))
    #expect(!text.contains("nan") && !text.contains("inf"))
  }

  @Test("Rows that do not add up are said, not hidden")
  func wrongRows() {
    var summary = madeUpSummary(ranks: 2)
    summary.ranks[1].expertRows += 1
    let text = ThroughputReport(record(summary)).text
    #expect(text.contains("expert rows: 61, where 15 tokens x 2 expert layers x 2 experts would be 60"))
  }
}

@Suite("Run records")
struct RecordTests {
  @Test("One line of JSON with these keys")
  func line() throws {
    let line = String(decoding: try record(madeUpSummary(ranks: 1)).jsonLine(), as: UTF8.self)
    #expect(
      line == #"""
        {"command":["flotilla","generate"],"date":"2023-11-14T22:13:20Z","expert_load_imbalance":1,\#
        "flotilla":"0.1.0","host":"node0","load_seconds":1.5,"model":{"checkpoint":"c0ffee",\#
        "expert_layers":2,"experts_per_layer":8,"experts_per_token":2,"name":"made-up",\#
        "parameters":400000},"parameters_per_token":100000,"phases":{"attention":0.4,"combine":0,\#
        "dense_feed_forward":0,"dispatch":0,"embedding":0,"expert_compute":0.2,"gate":0,"head":0.05,\#
        "sampling":0,"shared_expert":0,"wait":0.1},"ranks":[{"busy_seconds":0.9,"busy_share":0.9,\#
        "bytes_received":0,"bytes_sent":0,"combine_seconds":0,"dispatch_seconds":0,\#
        "expert_pairs_activated":8,"expert_pairs_held":0,"expert_rows":60,"expert_seconds":0.2,"experts_activated":8,\#
        "experts_held":8,"gate_seconds":0,"host":"node0","messages_received":0,"messages_sent":0,\#
        "parameters_applied":1500000,"rank":0,"resident_bytes":104857600,"roles":["coordinator",\#
        "experts"],"wait_seconds":0}],"rates":{"decode_tokens_per_second":4,\#
        "prefill_tokens_per_second":48},"schema":1,"seconds":{"decode":0.75,"first_token":[0.25],\#
        "prefill":0.25},"setup":{"cache_format":"f32","context_size":256,"format":"bf16","instruction_set":"avx2",\#
        "max_sequences":4,"prefill_chunk":64,"ranks":1,"threads":[2]},"steps":4,"tokens":{"computed":15,\#
        "generated":4,"in_decode_steps":3,"in_prefill_steps":1,"prompt":12}}
        """#)
  }

  @Test("What is written reads back equal")
  func roundTrip() throws {
    let original = record(madeUpSummary(ranks: 3))
    #expect(try JSONDecoder().decode(RunRecord.self, from: Data(try original.jsonLine())) == original)
  }

  @Test("Undefined rates are null, not absent")
  func nulls() throws {
    var summary = madeUpSummary(ranks: 1)
    summary.engine = EngineStatistics()
    let line = String(decoding: try record(summary).jsonLine(), as: UTF8.self)
    #expect(line.contains(#""rates":{"decode_tokens_per_second":null,"prefill_tokens_per_second":null}"#))
  }

  @Test("Appends a line each; half a line of a dead run does not spoil the next")
  func appends() throws {
    let file = FileManager.default.temporaryDirectory.appending(path: "record-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: file) }
    try Data("{\"half\":".utf8).write(to: file)
    let records = [record(madeUpSummary(ranks: 1)), record(madeUpSummary(ranks: 2))]
    for record in records { try RecordFile(path: file.path(percentEncoded: false)).append(record) }
    let lines = try Data(contentsOf: file).split(separator: 10, omittingEmptySubsequences: false)
    #expect(lines.count == 4 && lines[3].isEmpty)
    #expect(try lines[1...2].map { try JSONDecoder().decode(RunRecord.self, from: $0) } == records)
  }

  @Test("A path that cannot be written is known before the run")
  func unwritable() {
    #expect {
      try RecordFile(path: "/nonexistent/runs.jsonl")
    } throws: { error in
      "\(error)" == "/nonexistent/runs.jsonl: expected to open the record file, found No such file or directory. "
        + "Hint: --record names a file in a folder that exists and may be written to"
    }
  }
}
