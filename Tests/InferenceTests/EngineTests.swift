import DeepSeek
import ExpertParallel
import Foundation
import Inference
import StrictJSON
import TestSupport
import Testing
import Tokenization

/// The built-in model on one rank, as `flotilla generate` runs it.
private func session(_ folder: URL, _ change: (inout RunOptions) -> Void = { _ in }) throws -> RunSession {
  var options = RunOptions(model: folder, version: "test")
  options.threads = 1
  change(&options)
  return try RunSession(options, fleet: Fleet(timeout: .seconds(10), hub: options.coordinator))
}

private let abacus = Fixtures.root.deletingLastPathComponent().deletingLastPathComponent()
  .appending(path: "Sources/Inference/Resources/Abacus")

/// What came of one sequence.
private struct Output: Equatable {
  var ids: [Int] = []
  var text = ""
  var reasoning = ""
  var logProbabilities: [Double] = []
  var finish: FinishReason?
}

extension Engine {
  fileprivate func outputs(_ requests: [GenerationRequest]) throws -> [Output] {
    let numbers = try requests.map { try add($0) }
    var outputs: [Int: Output] = [:]
    try run { event in
      switch event {
      case .prefill, .replay: break
      case .token(let token):
        outputs[token.sequence, default: Output()].ids.append(token.id)
        outputs[token.sequence]!.logProbabilities.append(token.logProbability)
        if token.part == .answer {
          outputs[token.sequence]!.text += token.text
        } else {
          outputs[token.sequence]!.reasoning += token.text
        }
      case .finished(let sequence, let reason, let text):
        outputs[sequence, default: Output()].finish = reason
        outputs[sequence]!.text += text
      }
    }
    return numbers.map { outputs[$0]! }
  }
}

@Suite("Built-in model")
struct BuiltInModelTests {
  private struct Question {
    let prompt: [Int]
    /// Of transformers, greedy.
    let recorded: [Int]
    let answer: String
    let isRecordedRight: Bool

    func isRight(_ output: Output) -> Bool { output.text.trimmingCharacters(in: .whitespacesAndNewlines) == answer }
  }

  private func questions() throws -> [Question] {
    let lines = String(decoding: try Fixtures.data("abacus/questions.jsonl"), as: UTF8.self).split(separator: "\n")
    return try lines.map {
      let fields = try StrictJSON.parse(Data($0.utf8)).object!
      return Question(
        prompt: fields["prompt_ids"]!.array!.map { $0.int! }, recorded: fields["greedy_ids"]!.array!.map { $0.int! },
        answer: fields["answer"]!.jsonString!.text, isRecordedRight: fields["correct"]!.bool!)
    }
  }

  private func outputs(_ engine: Engine, _ questions: [Question]) throws -> [Output] {
    try engine.outputs(
      questions.map { GenerationRequest(prompt: $0.prompt, maxTokens: 512 - $0.prompt.count) })
  }

  @Test("200 questions, greedy: token for token as recorded")
  func exact() throws {
    let questions = try questions()
    #expect(questions.count == 200)
    let outputs = try outputs(session(abacus) { $0.formats = "f32" }.engine!, questions)
    for (question, output) in zip(questions, outputs) {
      #expect(output.ids == question.recorded, "\(question.answer)")
      #expect(question.isRight(output) == question.isRecordedRight)
    }
    let correct = zip(questions, outputs).count { $0.isRight($1) }
    print("Built-in model: \(correct) of 200 answers are right")
  }

  /// Logits of every recorded token, `[tokens][V]`, question by question.
  private func logits(_ format: String, _ questions: [Question]) throws -> [[Float]] {
    let engine = try session(abacus) { $0.formats = format }.engine!
    var rows: [[Float]] = []
    for question in questions {
      let tokens = question.prompt + question.recorded.dropLast()
      var batch = Batch()
      let cache = engine.model.makeCache(capacity: tokens.count)
      batch.append(Segment(cache: cache, firstPosition: 0, count: tokens.count, form: .expanded), tokens: tokens)
      let hidden = try engine.model.forward(batch, fabric: engine.fabric)
      for row in question.prompt.count - 1..<tokens.count {
        rows.append(Array(try engine.model.logits(of: [row], in: hidden, fabric: engine.fabric)[0]))
      }
    }
    return rows
  }

  @Test("In 4 bits: right answers within a point of f32, and close to its probabilities")
  func quantised() throws {
    let questions = try questions()
    let outputs = try outputs(session(abacus) { $0.formats = "q4_K" }.engine!, questions)
    let correct = zip(questions, outputs).count { $0.isRight($1) }
    #expect(correct >= questions.count { $0.isRecordedRight } - 2)
    let base = try logits("f32", questions)
    let truths = questions.flatMap(\.recorded)
    let comparisons = zip(zip(try logits("q4_K", questions), base), truths).map { rows, truth in
      rows.0.withUnsafeBufferPointer { logits in
        rows.1.withUnsafeBufferPointer { TokenComparison(logits, base: $0, truth: truth) }
      }
    }
    func mean(_ value: (TokenComparison) -> Double) -> Double {
      comparisons.reduce(0) { $0 + value($1) } / Double(comparisons.count)
    }
    let divergence = mean(\.divergence)
    let same = mean { $0.score.best == $0.base.best ? 1 : 0 }
    let perplexities = (mean(\.base.negativeLogLikelihood), mean(\.score.negativeLogLikelihood))
    #expect(divergence < 1e-4 && same > 0.9995)
    print(
      "Built-in model in q4_K: \(correct) of 200 right; \(comparisons.count) tokens: mean KL divergence \(divergence), "
        + "the same most probable token \(same), perplexity \(exp(perplexities.1)), in f32 \(exp(perplexities.0))")
  }
}

@Suite("Engine")
struct EngineTests {
  private static let prompts = [[0, 89, 187, 75, 348, 81], [0, 7], [0, 300, 301, 302, 303, 304, 305, 306, 307]]

  private func requests(_ sampling: SamplingOptions) -> [GenerationRequest] {
    Self.prompts.map { GenerationRequest(prompt: $0, maxTokens: 12, sampling: sampling, ignoresEndOfSequence: true) }
  }

  @Test("Greedy continuations of every fixture", arguments: Fixtures.checkpoints)
  func goldens(fixture: String) throws {
    let golden = try Golden(fixture: fixture)
    let engine = try session(Fixtures.url(fixture)) { $0.formats = "f32" }.engine!
    let outputs = try engine.outputs(
      (0..<3).map {
        GenerationRequest(
          prompt: golden.integers("p\($0).input_ids"), maxTokens: 24, ignoresEndOfSequence: true)
      })
    for (prompt, output) in outputs.enumerated() {
      #expect(output.ids == golden.integers("p\(prompt).greedy_ids"))
      #expect(output.finish == .length)
      let recorded = golden.floats("p\(prompt).greedy_logprobs")
      #expect(largestDifference(output.logProbabilities.map { Float($0) }, recorded) < 1e-3)
    }
  }

  @Test("Sampled tokens do not depend on batch, chunk or number of sequences at once")
  func sampledAlike() throws {
    let sampling = SamplingOptions(temperature: 1, topP: 0.95, seed: 3)
    let together = try session(Fixtures.url("tiny-f32")).engine!.outputs(requests(sampling))
    for (chunk, parallel) in [(1, 16), (7, 1), (512, 2)] {
      let engine = try session(Fixtures.url("tiny-f32")) {
        $0.prefillChunk = chunk
        $0.parallel = parallel
      }.engine!
      #expect(try engine.outputs(requests(sampling)) == together)
    }
  }

  @Test("A prompt that is too long or holds impossible ids is refused")
  func refused() throws {
    let engine = try session(Fixtures.url("tiny-f32")) { $0.contextSize = 20 }.engine!
    #expect(throws: RequestError("prompt: expected at least one token, found none")) {
      try engine.add(GenerationRequest(prompt: [], maxTokens: 1))
    }
    #expect(throws: RequestError("prompt: expected token ids from 0 to 511, found 512")) {
      try engine.add(GenerationRequest(prompt: [0, 512], maxTokens: 1))
    }
    #expect(throws: RequestError.self) {
      try engine.add(GenerationRequest(prompt: Array(repeating: 3, count: 21), maxTokens: 1))
    }
  }

  @Test("The context ends a sequence that is not done")
  func context() throws {
    let engine = try session(Fixtures.url("tiny-f32")) { $0.contextSize = 9 }.engine!
    let output = try engine.outputs([GenerationRequest(prompt: [0, 5, 6], maxTokens: 50, ignoresEndOfSequence: true)])
    #expect(output[0].ids.count == 6)
    #expect(output[0].finish == .context)
    let full = try engine.outputs([GenerationRequest(prompt: Array(0..<9), maxTokens: .max)])
    #expect(full[0].ids == [] && full[0].finish == .context)
    let exact = try engine.outputs([GenerationRequest(prompt: [0, 5, 6], maxTokens: 6, ignoresEndOfSequence: true)])
    #expect(exact[0].ids == output[0].ids && exact[0].finish == .length)
  }

  @Test("A NaN among the weights ends the run with a word, in every arithmetic", arguments: ["f32", "bf16", "q8_0"])
  func notFinite(format: String) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "flotilla-\(UUID().uuidString)")
    try FileManager.default.copyItem(at: Fixtures.url("tiny-f32"), to: folder)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "model.safetensors")
    var bytes = try Data(contentsOf: file)
    let header = bytes.prefix(8).enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
    let json = try JSONSerialization.jsonObject(with: bytes[8..<8 + header]) as? [String: [String: Any]]
    let offsets = try #require(json?["model.norm.weight"]?["data_offsets"] as? [Int])
    let place = 8 + header + offsets[0]
    bytes.replaceSubrange(place..<place + 4, with: withUnsafeBytes(of: Float.nan.bitPattern.littleEndian, Array.init))
    try bytes.write(to: file)
    let engine = try session(folder) { $0.formats = format }.engine!
    let error = #expect(throws: LogitsNotFinite.self) {
      try engine.outputs([GenerationRequest(prompt: [0, 5, 6], maxTokens: 2, ignoresEndOfSequence: true)])
    }
    #expect(error?.description.contains("sequence 0 at position 2: expected finite numbers") == true)
  }

  @Test("One expert per token: its normalised weight is the scale")
  func oneExpert() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "flotilla-\(UUID().uuidString)")
    try FileManager.default.copyItem(at: Fixtures.url("tiny-f32"), to: folder)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "config.json")
    let text = try String(contentsOf: file, encoding: .utf8)
    let changed = text.replacing(/"num_experts_per_tok": \d+/, with: "\"num_experts_per_tok\": 1")
    try #require(changed != text)
    try changed.write(to: file, atomically: true, encoding: .utf8)
    let run = try session(folder)
    run.fabric!.wantsLogits = true
    let tracer = Tracer(model: run.engine!.model, fabric: run.fabric!, chunk: 8)
    let trace = try tracer.trace(prompts: [[0, 89, 187]], greedy: 0, together: false)[0]
    let weights = trace.routing.values.flatMap(\.weights)
    #expect(weights.count == 3 * trace.routing.count && !weights.isEmpty)
    #expect(weights.allSatisfy { $0 == Float(run.configuration.routedScale) })
  }

  @Test("The reasoning budget closes the reasoning, and the tokens say so")
  func budget() throws {
    let run = try session(abacus)
    let spans = try run.tokenizer!.render(Conversation([("user", "What is 478 + 256?")]))
    let request = GenerationRequest(
      prompt: run.tokenizer!.encode(spans), maxTokens: 40, reasoningBudget: 3)
    _ = try run.engine!.add(request)
    var tokens: [GeneratedToken] = []
    try run.engine!.run { if case .token(let token) = $0 { tokens.append(token) } }
    #expect(tokens.prefix(4).map(\.isForced) == [false, false, false, true])
    #expect(tokens[3].id == run.tokenizer!.id(of: "</think>"))
    #expect(tokens.prefix(4).allSatisfy { $0.part == .reasoning })
    #expect(tokens.dropFirst(4).allSatisfy { $0.part == .answer })
  }

  @Test("Alternatives are the most probable tokens")
  func alternatives() throws {
    let engine = try session(Fixtures.url("tiny-f32")).engine!
    _ = try engine.add(GenerationRequest(prompt: [406], maxTokens: 1, topAlternatives: 5))
    var tokens: [GeneratedToken] = []
    try engine.run { if case .token(let token) = $0 { tokens.append(token) } }
    #expect(tokens[0].alternatives.map(\.id) == [155, 297, 412, 301, 80])
    #expect(tokens[0].alternatives[0].id == tokens[0].id)
    #expect(tokens[0].alternatives.map(\.logProbability) == tokens[0].alternatives.map(\.logProbability).sorted(by: >))
  }

  @Test("What ran is counted: far fewer parameters per token than the model has")
  func counted() throws {
    let run = try session(Fixtures.url("tiny-bf16-sharded"))
    _ = try run.engine!.outputs(requests(.greedy))
    let summary = try run.finish()
    #expect(summary.engine.promptTokens == 17)
    #expect(summary.engine.generatedTokens == 36)
    #expect(summary.tokensComputed == 17 + 36 - 3)
    #expect(summary.parametersPerToken < 0.6 * Double(summary.parametersInTotal))
    #expect(summary.ranks.count == 1)
    #expect(summary.ranks[0].expertRows == summary.tokensComputed * summary.expertLayers * summary.expertsPerToken)
  }
}
