import ExpertParallel
import Foundation
import Inference
import TestSupport
import Testing
import Tokenization

/// Generations that are stopped and go on, on engines over virtual ranks.
private struct Interruptions {
  let fixture: LoadedFixture
  let tokenizer: Tokenizer?
  let requests: [GenerationRequest]

  init(_ fixture: LoadedFixture, _ requests: [GenerationRequest]) throws {
    self.fixture = fixture
    self.requests = requests
    tokenizer = try fixture.checkpoint.tokenizer()
  }

  func engine(ranks: Int, chunk: Int = 24, seed: UInt64? = nil) throws -> (Engine, VirtualFleet) {
    let experts = fixture.configuration.routedExperts
    let placement: Placement =
      try seed.map { try .scattered(experts: experts, ranks: ranks, seed: $0) }
      ?? .contiguous(experts: experts, ranks: ranks)
    let fleet = fixture.fleet(placement, seed: seed)
    fleet.fabric.wantsLogits = false
    let limits = EngineLimits(contextSize: 64, prefillChunk: chunk, maxSequences: 3)
    return (Engine(model: fixture.model, fabric: fleet.fabric, tokenizer: tokenizer, limits: limits), fleet)
  }

  func header(_ engine: Engine) -> JournalHeader {
    JournalHeader(
      version: "test", model: .init(name: "m", path: nil, fingerprint: ""), quant: "f32", requantizes: false,
      formats: "f32", cacheFormat: .f32, contextSize: 64, parallel: 3, endTokens: [], sequences: requests.count)
  }

  /// Steps until `most` of them have given tokens or all is done.
  static func run(_ engine: Engine, _ journal: JournalWriter?, most: Int = .max) throws -> [GenerationEvent] {
    var (events, steps): ([GenerationEvent], Int) = ([], 0)
    while steps < most, !engine.isIdle {
      let found = try engine.step()
      try journal?.append(found)
      let kept = found.filter(\.isKept)
      steps += kept.isEmpty ? 0 : 1
      events += kept
    }
    return events
  }

  func undisturbed() throws -> [GenerationEvent] {
    let (engine, fleet) = try engine(ranks: 1)
    for request in requests { try engine.add(request) }
    return try withExtendedLifetime(fleet) { try Self.run(engine, nil) }
  }

  /// One leg: begins or goes on, and stops after some steps.
  func leg(_ path: String, ranks: Int, chunk: Int = 24, seed: UInt64? = nil, steps: Int = .max) throws {
    let (engine, fleet) = try engine(ranks: ranks, chunk: chunk, seed: seed)
    try withExtendedLifetime(fleet) {
      guard FileManager.default.fileExists(atPath: path) else {
        let writer = try JournalWriter(creating: path, interval: .seconds(1))
        for request in requests { try engine.add(request) }
        try writer.begin(header(engine), requests)
        _ = try Self.run(engine, writer, most: steps)
        return
      }
      let (writer, journal) = try JournalWriter.resuming(path, interval: .seconds(1))
      try engine.add(journal)
      _ = try Self.run(engine, writer, most: steps)
      let replayed = journal.sequences.reduce(0) { $0 + ($1.finish == nil ? max($1.tokens.count - 1, 0) : 0) }
      if engine.isIdle { #expect(engine.statistics.replayedTokens == replayed) }
    }
  }
}

extension GenerationEvent {
  fileprivate var isKept: Bool {
    switch self {
    case .token, .finished: true
    case .prefill, .replay: false
    }
  }

  fileprivate var sequence: Int? {
    switch self {
    case .token(let token): token.sequence
    case .finished(let sequence, _, _), .prefill(let sequence, _, _): sequence
    case .replay: nil
    }
  }
}

extension [GenerationEvent] {
  fileprivate var bySequence: [Int?: [GenerationEvent]] { Dictionary(grouping: self, by: \.sequence) }
}

@Suite("Going on with a journal", .serialized)
struct ResumeTests {
  /// Six sequences, three at once, of all ways to end, with all that a sampler looks back on.
  private static let sampled: [GenerationRequest] = [
    ([0, 89, 187, 75, 348, 81], 20), ([0, 7], 5), ([0, 300, 301, 302, 303], 100), ([0, 12, 13], 0), ([0, 400], 12),
    ([0, 401, 9, 9], 9),
  ].map { prompt, most in
    GenerationRequest(
      prompt: prompt, maxTokens: most,
      sampling: SamplingOptions(temperature: 1.2, topP: 0.97, repetitionPenalty: 1.3, seed: 11),
      ignoresEndOfSequence: prompt.count != 5, topAlternatives: 2)
  }

  @Test("Stopped after every step: the same events in the same order, from one to four ranks")
  func everyStep() throws {
    let work = try Interruptions(try LoadedFixture("tiny-f32"), Self.sampled)
    let expected = try work.undisturbed()
    #expect(expected.count > 60)
    for steps in 0... {
      let isOver = try withTemporaryFile { path in
        try work.leg(path, ranks: 3, steps: steps)
        if try Journal(path: path).isComplete { return true }
        try work.leg(path, ranks: 1 + steps % 4, seed: UInt64(steps))
        let journal = try Journal(path: path)
        #expect(journal.isComplete)
        #expect(journal.events == expected, "stopped after \(steps) steps")
        return false
      }
      if isOver { break }
    }
  }

  @Test("Stopped at random, torn, on other ranks and in other chunks, again and again", arguments: UInt64(1)...3)
  func again(seed: UInt64) throws {
    let fixture = try LoadedFixture("tiny-v2lite", format: .q8_0, cache: .f16, threads: 2)
    let work = try Interruptions(fixture, Self.sampled)
    let expected = try work.undisturbed().bySequence
    var random = SplitMix64(seed)
    for round in 0..<8 {
      try withTemporaryFile { path in
        var legs = 0
        while try legs == 0 || !Journal(path: path).isComplete {
          let steps = legs < 12 ? Int.random(in: 0...9, using: &random) : .max
          try work.leg(
            path, ranks: .random(in: 1...5, using: &random), chunk: .random(in: 1...24, using: &random),
            seed: random.next(), steps: steps)
          legs += 1
          // What is lost is generated again.
          let file = URL(filePath: path)
          let bytes = try Data(contentsOf: file)
          let begun = bytes.indices.filter { bytes[$0] == 10 }[work.requests.count] + 1
          let lost = min(bytes.count - begun, .random(in: 0...400, using: &random))
          if legs < 12 { try bytes.dropLast(lost).write(to: file) }
        }
        let events = try Journal(path: path).events
        #expect(events.bySequence == expected, "round \(round) of seed \(seed)")
        #expect(legs > 1)
      }
    }
  }

  /// What the built-in model says to a question.
  private func question(_ change: (inout GenerationRequest) -> Void = { _ in }) throws -> Interruptions {
    let fixture = try LoadedFixture(LoadedFixture.builtIn)
    let tokenizer = try #require(try fixture.checkpoint.tokenizer())
    var request = GenerationRequest(
      prompt: tokenizer.encode(try tokenizer.render(Conversation([("user", "What is 47 + 25?")]))), maxTokens: 48)
    change(&request)
    return try Interruptions(fixture, [request])
  }

  private func text(_ events: [GenerationEvent]) -> String {
    events.map {
      switch $0 {
      case .token(let token): token.text
      case .finished(_, _, let text): text
      case .prefill, .replay: ""
      }
    }.joined()
  }

  private func expectSame(_ work: Interruptions) throws -> [GenerationEvent] {
    let expected = try work.undisturbed()
    for steps in 0..<expected.count - 1 {
      try withTemporaryFile { path in
        try work.leg(path, ranks: 2, steps: steps)
        try work.leg(path, ranks: 1)
        #expect(try Journal(path: path).events == expected, "stopped after \(steps) steps")
      }
    }
    return expected
  }

  @Test("Stop strings, found and held back across the border")
  func stops() throws {
    let whole = text(try question().undisturbed())
    // From the middle of one token to the middle of another.
    let middle = whole.utf8.count / 2
    let stop = String(decoding: Array(whole.utf8)[middle..<min(middle + 9, whole.utf8.count)], as: UTF8.self)
    let events = try expectSame(try question { $0.stopStrings = [stop, stop + "?"] })
    #expect(events.last == .finished(sequence: 0, .stopString, text: ""))
    #expect(text(events).utf8.count < whole.utf8.count && whole.hasPrefix(text(events)))
    // Never found: what was held back comes at the end.
    let ending = String(whole.suffix(3)) + "!"
    #expect(text(try expectSame(try question { $0.stopStrings = [ending] })) == whole)
  }

  @Test("A reasoning budget, closed before and behind the border")
  func budget() throws {
    let events = try expectSame(try question { $0.reasoningBudget = 4 })
    let tokens = events.compactMap { if case .token(let token) = $0 { token } else { nil } }
    #expect(tokens.prefix(5).map(\.isForced) == [false, false, false, false, true])
    #expect(tokens.dropFirst(5).allSatisfy { $0.part == .answer } && tokens.count > 6)
  }

  @Test("A step that is interrupted between layers, on three ranks: the next ones are as if it had not been")
  func interrupted() throws {
    let work = try Interruptions(try LoadedFixture("tiny-f32"), Self.sampled)
    let expected = try work.undisturbed()
    let (engine, fleet) = try work.engine(ranks: 3, seed: 5)
    for request in work.requests { try engine.add(request) }
    var (asked, events): (Int, [GenerationEvent]) = (0, [])
    engine.model.mayGoOn = {
      asked += 1
      if asked % 7 == 0 { throw Interrupted() }
    }
    defer { engine.model.mayGoOn = nil }
    try withExtendedLifetime(fleet) {
      while !engine.isIdle {
        do { events += try engine.step().filter(\.isKept) } catch is Interrupted {}
      }
    }
    #expect(asked > 200 && events == expected)
  }

  @Test("A continuation that cannot be is refused")
  func refused() throws {
    let work = try question { $0.reasoningBudget = 4 }
    let tokens = try work.undisturbed().compactMap { if case .token(let token) = $0 { token } else { nil } }
    func expectRefused(_ text: String, _ change: (inout GenerationRequest) -> Void) throws {
      var request = work.requests[0]
      request.continuation = Array(tokens.prefix(6))
      change(&request)
      let (engine, _) = try work.engine(ranks: 1)
      let error = #expect(throws: RequestError.self) { try engine.add(request) }
      #expect(error?.description.contains(text) == true, "\(error?.description ?? "taken")")
    }
    func copy(_ token: GeneratedToken, id: Int? = nil, text: String? = nil) -> GeneratedToken {
      .init(
        sequence: 0, position: token.position, id: id ?? token.id, text: text ?? token.text, part: token.part,
        logProbability: token.logProbability, isForced: token.isForced)
    }
    try expectRefused("expected position ") { $0.continuation.removeFirst() }
    try expectRefused("expected one that is not forced") { $0.reasoningBudget = nil }
    try expectRefused(", forced, found token ") { $0.reasoningBudget = 3 }
    try expectRefused("as the tokenizer gave it then") { $0.continuation[1] = copy($0.continuation[1], text: "zz") }
    try expectRefused("continuation: expected token ids from 0 to") {
      $0.continuation[1] = copy($0.continuation[1], id: 1 << 20)
    }
    try expectRefused("expected a sequence that goes on, found its end (length)") { $0.maxTokens = 5 }
    let (engine, _) = try work.engine(ranks: 1)
    try engine.add(work.requests[0], number: 4)
    #expect(throws: RequestError("number of a sequence: expected 5 or more, found 4")) {
      try engine.add(work.requests[0], number: 4)
    }
  }

  @Test("The shortest context that changes nothing")
  func context() throws {
    try withTemporaryFile { path in
      let writer = try JournalWriter(creating: path, interval: .zero)
      let requests = [
        GenerationRequest(prompt: [1, 2], maxTokens: 10), GenerationRequest(prompt: [1, 2, 3], maxTokens: 20),
      ]
      try writer.begin(MadeUpJournal.header, requests)
      let journal = try Journal(path: path)
      #expect(journal.contextSize == 23)
      func resumption(_ size: Int?) throws -> Resumption {
        try Resumption(journal, path: path, model: "m", contextSize: size, parallel: nil)
      }
      _ = try resumption(nil)
      _ = try resumption(23)
      _ = try resumption(4096)
      let error = #expect(throws: RequestError.self) { _ = try resumption(22) }
      #expect(error?.description.hasPrefix("--ctx-size: expected 23 to 4096, which change no token of ") == true)
    }
  }
}
