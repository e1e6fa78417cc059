import Foundation
import Inference
import Reporting
import StrictJSON
import TestSupport
import Testing

@Suite("Files of run records")
struct RecordLinesTests {
  private func line(_ change: (inout RunRecord) -> Void = { _ in }) throws -> String {
    String(decoding: try madeUp(change).jsonLine(), as: UTF8.self)
  }

  private func read(_ text: String) throws -> RecordLines { try readRecords(Array(text.utf8)) }

  @Test("Lines of --record and of --json; broken ones are left out and told of, wherever they stand")
  func reading() throws {
    let line = try line()
    let lines = try read(line + "\nx\n" + line + "\n" + line.dropLast(20))
    #expect(lines.records == [madeUp(), madeUp()] && lines.shortage(in: []) == nil)
    #expect(lines.leftOut.map(\.line) == [2, 4])
    #expect(lines.leftOut[0].omission.hasPrefix("line 2 of records-"))
    #expect(lines.leftOut[0].omission.contains(" left out: JSON: expected a record, found at byte 1: "))
    let json = try read("{\"prompt\":0,\"finish\":\"end\"}\n{\"run\":" + line + "}\n")
    #expect(json.records == [madeUp()] && json.leftOut.isEmpty)
  }

  @Test("A copy of a record is no repeat: a run counts once")
  func copies() throws {
    let (one, other) = (try line { $0.id = "a" }, try line { $0.id = "b" })
    let lines = try read([one, other, one, one].joined(separator: "\n"))
    #expect(lines.records.map(\.id) == ["a", "b"] && lines.copies == 2 && lines.leftOut.isEmpty)
  }

  @Test("What is wrong is named with line and field")
  func wrong() throws {
    let line = try line()
    for (text, words) in [
      ("", "records: expected a line for each run"), ("{\"a\":1}\n", "line 1: schema: expected 1, found nothing"),
      (line.replacing("\"steps\":4", with: "\"steps\":\"4\"") + "\n", "line 1: steps"),
      (line.replacing("\"schema\":1", with: "\"schema\":2") + "\n", "line 1: schema"),
      (
        line.replacing("\"steps\":4", with: "\"steps\":-4") + "\n",
        "line 1: steps: expected a number from 0 to 1099511627776, found -4"
      ),
      (
        line.replacing("\"rank\":1,", with: "\"rank\":1,\"timeline\":[{\"phase\":\"gate\",\"start\":2,\"end\":1}],")
          + "\n",
        "line 1: ranks.1.timeline.0.start: expected a number from 0 to 1.0, found 2.0"
      ),
      (line.replacing("\"rank\":1,", with: "\"rank\":7,") + "\n", "line 1: ranks"),
    ] {
      let error = try #require(try read(text).shortage(in: ["x"]))
      #expect(error.description.contains(words), "\(words): \(error)")
    }
  }

  @Test("A record of an earlier version has no line of a launcher and no sampling, and is read")
  func older() throws {
    let record = madeUp {
      $0.launcher = ["mpirun"]
      $0.sampling = .init(seed: .max, maxTokens: 3)
      ($0.id, $0.model.weightBytes, $0.ranks[0].weightBytesReadInDecode) = ("a", 1, 1)
    }
    let text = String(decoding: try record.jsonLine(), as: UTF8.self)
    #expect(try read(text).records == [record])
    let older = text.replacing(#""id":"a","#, with: "").replacing(#""launcher":["mpirun"],"#, with: "")
      .replacing(#""sampling":{"max_tokens":3,"seed":18446744073709551615},"#, with: "")
      .replacing(#","weight_bytes":1"#, with: "").replacing(#","weight_bytes_read_in_decode":1"#, with: "")
    #expect(try read(older).records == [madeUp()], "\(older)")
  }

  @Test("A routing record, a folder and nothing are told from a file of records")
  func foreign() throws {
    let routing = #expect(throws: RecordReadingError.self) { try read("{\"flotilla_routing\":1}\nabc") }
    #expect(routing?.description.hasSuffix("found a routing record. Hint: give it with --routing") == true)
    for (path, found) in [("/tmp", "found a folder."), ("/no/file", "found nothing there.")] {
      let error = #expect(throws: RecordReadingError.self) { try RecordLines([path]) }
      #expect(error?.description.contains(found) == true)
    }
  }
}

@Suite("How far a run is")
struct RunProgressTests {
  private static let start = 100.0

  private func recorder(_ file: URL) throws -> ProgressRecorder {
    try ProgressRecorder(
      RecordFile(path: file.path), version: "1.2.3", model: "made-up", isPhantom: false, now: Self.start)
  }

  private func statistics(generated: Int) -> EngineStatistics {
    var engine = EngineStatistics()
    (engine.started, engine.promptTokens, engine.generatedTokens) = (Self.start, 12, generated)
    (engine.prefillSeconds, engine.decodeSeconds, engine.tokensInDecodeSteps) = (2, 4, generated)
    return engine
  }

  private func withFile(_ body: (URL) throws -> Void) throws {
    let file = FileManager.default.temporaryDirectory.appending(path: "progress-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: file) }
    try body(file)
  }

  private func text(_ file: URL) throws -> [Substring] {
    try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
  }

  @Test("A line every two seconds in the place of the one before, and the record in the place of the last")
  func replaced() throws {
    try withFile { file in
      let records = try RecordFile(path: file.path)
      try records.append(madeUp())
      let recorder = ProgressRecorder(records, version: "1.2.3", model: "made-up", isPhantom: true, now: Self.start)
      for (generated, now) in [(0, 101.9), (8, 102), (9, 103.9), (100, 104)] {
        recorder.report(statistics(generated: generated), promptTotal: 12, now: now)
      }
      #expect(try text(file).count == 2)
      let lines = try RecordLines([file.path])
      #expect(lines.records == [madeUp()] && lines.leftOut.isEmpty && lines.unfinished.count == 1)
      #expect(
        lines.unfinished[0].text() == "made-up runs: 100 tokens generated, 25.0 tokens/s PHANTOM, 4.00 s PHANTOM so far"
      )
      let silent = lines.unfinished[0].text(now: Date().addingTimeInterval(60))
      #expect(silent.hasPrefix("made-up has not ended, and was last heard of at 20"))
      try records.append(madeUp { $0.id = recorder.id })
      #expect(try text(file).count == 2 && RecordLines([file.path]).unfinished.isEmpty)
    }
  }

  @Test("What another run has appended behind it stays; a run that has ended is none that goes on")
  func shared() throws {
    try withFile { file in
      let records = try RecordFile(path: file.path)
      let (one, other) = (
        ProgressRecorder(records, version: "", model: "one", isPhantom: false, now: Self.start), try recorder(file)
      )
      one.report(statistics(generated: 0), promptTotal: 24, now: 103)
      other.report(statistics(generated: 1), promptTotal: 12, now: 103)
      let lines = try RecordLines([file.path])
      #expect(
        lines.unfinished.map { $0.text() } == [
          "one runs: 12 of 24 tokens of the prompt read, 6.00 tokens/s, 3.00 s so far",
          "made-up runs: 1 token generated, 0.250 tokens/s, 3.00 s so far",
        ])
      try records.append(madeUp { $0.id = one.id })
      #expect(try text(file).count == 3 && RecordLines([file.path]).unfinished.map(\.model) == ["made-up"])
    }
  }

  @Test("Readers that know no progress take a line for one of --json about a single sequence")
  func older() throws {
    try withFile { file in
      try recorder(file).report(statistics(generated: 1), promptTotal: 12, now: 102)
      let json = try StrictJSON.parse(try Data(contentsOf: file))
      #expect(json["run"] == nil && json["schema"] == nil && json["prompt"] != nil && json["finish"] != nil)
    }
  }

  @Test("A page of runs that go on, and of none that has ended")
  func page() throws {
    let page = RunPage([], notes: ["one runs: 3 tokens"])
    #expect(page.text == "Flotilla: no run has ended yet\n\none runs: 3 tokens\n")
    #expect(RunPage([madeUp()], notes: ["line 2 of a left out"]).html.contains("<p>line 2 of a left out</p>"))
  }
}
