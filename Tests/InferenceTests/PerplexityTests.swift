import DeepSeek
import Foundation
import Inference
import TestSupport
import Testing

private func session(window: Int, formats: String = "f32") throws -> RunSession {
  var options = RunOptions(model: Fixtures.url("tiny-f32"), version: "test")
  options.formats = formats
  options.threads = 2
  options.contextSize = window
  options.prefillChunk = 5
  options.parallel = 1
  return try RunSession(options, fleet: Fleet(timeout: .seconds(10), hub: options.coordinator))
}

private let text = (0..<50).map { 7 + $0 * 37 % 400 }
private let plan = try! PerplexityPlan(tokens: text, window: 16, most: 2, bosToken: 0)

@Suite("Windows of a text")
struct PerplexityPlanTests {
  @Test("The first token gives way to the beginning of the sentence, the second half is scored")
  func windows() throws {
    #expect(plan.windows == 2 && plan.scored == 8..<15 && plan.scoredCount == 14)
    #expect(plan.input(1) == [0] + text[17..<32])
    let whole = try PerplexityPlan(tokens: text, window: 16, most: nil, bosToken: nil)
    #expect(whole.windows == 3 && whole.input(1) == Array(text[16..<32]))
  }

  @Test("A text that fills no window is refused")
  func short() {
    let error = #expect(throws: RequestError.self) {
      try PerplexityPlan(tokens: text, window: 51, most: nil, bosToken: nil)
    }
    #expect(error?.description.hasPrefix("text: expected at least 51 tokens, the size of a window, found 50") == true)
  }
}

@Suite("Perplexity of a small model")
struct PerplexityRunTests {
  private func run(_ session: RunSession) -> PerplexityRun {
    PerplexityRun(session, plan: plan, isInterrupted: { false })
  }

  private func identity(_ session: RunSession, _ plan: PerplexityPlan = plan) -> LogitsIdentity {
    LogitsIdentity(
      model: "tiny", session.configuration, plan: plan, format: session.formats.description)
  }

  @Test("Scores are those of the logits that a trace gives")
  func scores() throws {
    let session = try session(window: 16)
    var windows: [Int] = []
    let scores = try run(session).scores { done, _ in windows.append(done) }
    #expect(scores.count == 14 && windows == [0, 1, 2])
    session.fabric!.wantsLogits = true
    let traces = try Tracer(model: session.engine!.model, fabric: session.fabric!, chunk: 4)
      .trace(prompts: [plan.input(0), plan.input(1)], greedy: 0, together: false)
    let vocabulary = session.configuration.vocabularySize
    for (window, trace) in traces.enumerated() {
      for (index, position) in plan.scored.enumerated() {
        let logits = trace.logits[position * vocabulary..<(position + 1) * vocabulary].map(Double.init)
        let expected = log(logits.reduce(0) { $0 + exp($1) }) - logits[trace.prompt[position + 1]]
        let score = scores[window * 7 + index]
        #expect(abs(score.negativeLogLikelihood - expected) < 1e-9)
        #expect(logits[score.best] == logits.max())
      }
    }
    let mean = scores.reduce(0) { $0 + $1.negativeLogLikelihood } / 14
    #expect(abs(PerplexityResult(scores, plan, format: "f32").perplexity.value - exp(mean)) < 1e-9)
  }

  @Test("No divergence from itself, some from another format")
  func divergence() throws {
    let base = try session(window: 16)
    let file = try LogitsFile.create(nil, identity(base))
    let scores = try run(base).scores(keeping: file) { _, _ in }
    let same = try run(base).comparisons(with: file) { _, _ in }
    #expect(same.map(\.score) == scores && same.map(\.base) == scores && same.allSatisfy { $0.divergence == 0 })
    let other = try run(try session(window: 16, formats: "bf16")).comparisons(with: file) { _, _ in }
    #expect(other.map(\.base) == scores && other.map(\.score) != scores)
    #expect(other.allSatisfy { $0.divergence > 0 })
    let comparison = PerplexityResult(other, plan, format: "bf16", baseFormat: "f32").comparison!
    #expect(comparison.divergence.p50 < 0.01 && comparison.divergence.p99 <= comparison.divergence.maximum)
    #expect(comparison.sameTop.value > 0.7 && comparison.correlation! > 0.99)
  }

  @Test("An interruption ends it between two steps")
  func interrupted() throws {
    var steps = 0
    let run = PerplexityRun(try session(window: 16), plan: plan) {
      steps += 1
      return steps > 2
    }
    #expect(throws: Interrupted.self) { try run.scores { _, _ in } }
  }

  @Test("A file of logits is of one text, one model, one window, and whole")
  func files() throws {
    let session = try session(window: 16)
    let url = FileManager.default.temporaryDirectory.appending(path: "flotilla-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: url) }
    func field(_ identity: LogitsIdentity) -> String? {
      let error = #expect(throws: LogitsFileError.self) { try LogitsFile.open(url, wanted: identity) }
      return error?.field
    }
    let identity = identity(session)
    #expect(field(identity) == "file")
    do {
      let file = try LogitsFile.create(url, identity)
      _ = try run(session).scores(keeping: file) { _, _ in }
      #expect(field(identity) == "file", "not sealed: not whole")
      try file.seal()
      #expect(try run(session).comparisons(with: file) { _, _ in }.allSatisfy { $0.divergence == 0 })
    }
    var otherFormat = identity
    otherFormat.format = "q8_0"
    #expect(try LogitsFile.open(url, wanted: otherFormat).identity == identity)
    let more = try PerplexityPlan(tokens: text, window: 16, most: 3, bosToken: 0)
    #expect(field(self.identity(session, more)) == "windows")
    let different = try PerplexityPlan(tokens: text.reversed(), window: 16, most: 2, bosToken: 0)
    #expect(field(self.identity(session, different)) == "text")
    var renamed = identity
    renamed.model = "other"
    #expect(try LogitsFile.open(url, wanted: renamed).identity.model == "tiny")
    var configuration = session.configuration
    configuration.quantizationBlock = .fp8
    let coded = LogitsIdentity(model: "tiny", configuration, plan: plan, format: "fp8")
    #expect(coded.configuration == identity.configuration, "however the weights are stored")
    configuration.ropeTheta += 1
    let other = LogitsIdentity(model: "tiny", configuration, plan: plan, format: "f32")
    let error = #expect(throws: LogitsFileError.self) { try LogitsFile.open(url, wanted: other) }
    #expect(error?.field == "configuration of the model" && error?.found == identity.configuration + " (tiny)")
    let bytes = try Data(contentsOf: url)
    try bytes.dropLast(4).write(to: url)
    #expect(field(identity) == "size")
    try Data("FLOTLOGS{".utf8).write(to: url)
    #expect(field(identity) == "head")
  }

  @Test("Logits are written over, nothing else is; what is not sealed leaves nothing")
  func replaced() throws {
    let session = try session(window: 16)
    let folder = FileManager.default.temporaryDirectory.appending(path: "flotilla-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let url = folder.appending(path: "logits")
    for text in ["", "What", "A text that is longer than any mark."] {
      try Data(text.utf8).write(to: url)
      let error = #expect(throws: LogitsFileError.self) { try LogitsFile.create(url, identity(session)) }
      #expect(error?.expected == "none yet, or logits to write anew")
      #expect(try Data(contentsOf: url) == Data(text.utf8))
    }
    try FileManager.default.removeItem(at: url)
    try LogitsFile.create(url, identity(session)).seal()
    let sealed = try Data(contentsOf: url)
    do {
      let file = try LogitsFile.create(url, identity(session))
      _ = try run(session).scores(keeping: file) { _, _ in }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).count == 2)
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["logits"])
    #expect(try Data(contentsOf: url) == sealed)
    let nowhere = #expect(throws: LogitsFileError.self) {
      try LogitsFile.requireReplaceable(url.appending(path: "below"))
    }
    #expect(nowhere?.expected == "to write it")
  }

  @Test("Estimates of known samples")
  func estimates() {
    #expect(Estimate(mean: [1, 3]) == Estimate(value: 2, error: 1))
    #expect(Estimate(mean: [4]) == Estimate(value: 4, error: nil))
    let perplexity = Estimate(exponentialOfMean: [0, 0])
    #expect(perplexity == Estimate(value: 1, error: 0))
    let comparisons = [(0.0, 1.0, 2), (1, 2, 2), (1, 1, 5)].map { base, run, best in
      TokenComparison(
        base: .init(negativeLogLikelihood: base, best: 2), score: .init(negativeLogLikelihood: run, best: best),
        divergence: run - base)
    }
    let found = PerplexityResult(comparisons, plan, format: "a", baseFormat: "b").comparison!
    #expect(abs(found.logRatio.value - 2.0 / 3) < 1e-12 && abs(found.sameTop.value - 2.0 / 3) < 1e-12)
    #expect(found.divergence.p50 == 1 && found.divergence.maximum == 1 && found.divergence.minimum == 0)
    let differences = [exp(-1.0) - 1, exp(-2.0) - exp(-1.0), 0]
    let squares = differences.reduce(0) { $0 + $1 * $1 }
    #expect(abs(found.probabilityDifferenceRMS - (squares / 3).squareRoot()) < 1e-12)
  }
}
