import Checkpoint
import DeepSeek
import Foundation
import Inference
import Kernels
import TestSupport
import Testing

private func session(_ plan: BenchPlan, chunk: Int = 8, formats: String = "auto") throws -> RunSession {
  var options = RunOptions(model: Fixtures.url("tiny-f32"), version: "test")
  options.threads = 1
  options.formats = formats
  options.prefillChunk = chunk
  options.makeRoom(for: plan)
  return try RunSession(options, fleet: Fleet(timeout: .seconds(10), hub: options.coordinator))
}

private let plan = BenchPlan(
  prompts: [5], generated: [3], pairs: [.init(prompt: 4, generated: 2)], depths: [20, 0], parallel: [1, 2])

@Suite("What a bench measures")
struct BenchPlanTests {
  @Test("Tests are named as llama-bench names them")
  func names() {
    #expect(BenchTest(prompt: 512, generated: 0).name == "pp512")
    #expect(BenchTest(prompt: 0, generated: 128, depth: 8192).name == "tg128 @ d8192")
    #expect(BenchTest(prompt: 512, generated: 128).name == "pp512+tg128")
    #expect(BenchTest(prompt: 0, generated: 128, depth: 7, parallel: 4).name == "tg128 x4 @ d7")
  }

  @Test("Every depth from the smallest, every number of sequences; nothing of length 0")
  func tests() {
    #expect(
      plan.tests.map(\.name) == [
        "pp5", "tg3", "tg3 x2", "pp4+tg2", "pp5 @ d20", "tg3 @ d20", "tg3 x2 @ d20", "pp4+tg2 @ d20",
      ])
    #expect(plan.sequences == 2)
    // pp4+tg2 behind 20. With one prompt token a step, the first of two sequences generates once more.
    #expect(plan.positions(prefillChunk: 8) == 26 && plan.positions(prefillChunk: 1) == 26)
    let many = BenchPlan(prompts: [], generated: [7], pairs: [], depths: [0], parallel: [1, 12])
    #expect(many.positions(prefillChunk: 512) == 8 + 1, "8 positions hold 8 prompt tokens of a step")
    #expect(many.positions(prefillChunk: 4) == 8 + 2)
    let none = BenchPlan(
      prompts: [0], generated: [0], pairs: [.init(prompt: 0, generated: 0)], depths: [0], parallel: [1])
    #expect(none.tests.isEmpty)
  }

  @Test("Random tokens: the same for a seed, different for streams, never special")
  func tokens() {
    func stream(_ number: Int, seed: UInt64, count: Int = 500) -> [Int] {
      BenchTokens(vocabulary: 10, isSpecial: { $0 < 4 }, seed: seed).stream(number, count: count)
    }
    #expect(stream(0, seed: 1) == stream(0, seed: 1))
    #expect(stream(0, seed: 1) != stream(1, seed: 1) && stream(0, seed: 1) != stream(0, seed: 2))
    #expect(Array(stream(0, seed: 1).prefix(7)) == stream(0, seed: 1, count: 7))
    #expect(Set(stream(0, seed: 1)) == Set(4..<10))
  }
}

@Suite("Bench of a small model")
struct BenchRunTests {
  @Test("Samples and work of every test, whatever ran before")
  func work() throws {
    let session = try session(plan)
    let bench = Bench(session, repetitions: 2, isInterrupted: { false })
    var results: [String: BenchResult] = [:]
    for test in plan.tests { results[test.name] = try bench.run(test) { _, _, _ in } }
    let position = session.engine!.model.cacheBytesPerPosition
    for (name, result) in results {
      #expect(result.seconds.count == 2 && result.seconds.allSatisfy { $0 > 0 }, "\(name)")
      #expect(result.firstTokenSeconds.count == (result.test.prompt > 0 ? 2 : 0), "\(name)")
      #expect(result.tokenSeconds.count == 2 * result.test.generated, "\(name)")
    }
    // A step looks back on its own position too.
    #expect(results["tg3"]!.cacheBytes == 2 * (2 + 3 + 4) * position)
    #expect(results["tg3 x2 @ d20"]!.cacheBytes == 2 * 2 * (21 + 22 + 23) * position)
    #expect(results["pp5 @ d20"]!.cacheBytes == 2 * 25 * position)
    #expect(results["pp4+tg2"]!.cacheBytes == 2 * (4 + 5 + 6) * position)
    // The same work for a token at any depth, and for two tokens twice that.
    let one = results["tg3"]!.multiplyAdds
    #expect(one > 0 && results["tg3 @ d20"]!.multiplyAdds == one && results["tg3 x2"]!.multiplyAdds == 2 * one)
    // Together they read the dense part once.
    let (alone, together) = (results["tg3"]!.weightBytes, results["tg3 x2"]!.weightBytes)
    #expect(alone > 0 && together > alone && together < 2 * alone)
    #expect(results["tg3"]!.tokensPerSecond.count == 2 && results["tg3 x2"]!.test.tokens == 6)
  }

  @Test("Tests that fill the cache of the model to its last position, and not one more")
  func maximum() throws {
    let most = 256
    let full = BenchPlan(
      prompts: [6], generated: [6], pairs: [.init(prompt: 4, generated: 2)], depths: [most - 6], parallel: [1, 2])
    let bench = Bench(try session(full, chunk: 64), repetitions: 2, isInterrupted: { false })
    for test in full.tests { #expect(try bench.run(test) { _, _, _ in }.seconds.count == 2, "\(test.name)") }
    let beyond = BenchPlan(prompts: [7], generated: [], pairs: [], depths: [most - 6], parallel: [1])
    let error = #expect(throws: RequestError.self) { try session(beyond) }
    let text = "context size of -p, -n, -d, -pg: expected 1 to 256 (the model's maximum), found 257. Hint: give fewer"
    #expect(error?.description.hasPrefix(text) == true)
  }

  @Test("Multiply-adds are counted by their arithmetic", arguments: ["f32", "q8_0", "f32,experts=q8_0"])
  func arithmetic(formats: String) throws {
    let plan = BenchPlan(prompts: [], generated: [3], pairs: [], depths: [0], parallel: [1])
    let session = try session(plan, formats: formats)
    let result = try Bench(session, repetitions: 1, isInterrupted: { false }).run(plan.tests[0]) { _, _, _ in }
    let model = session.configuration
    let counts = ParameterInventory(model).countByPart
    // Gates are f32 in every format.
    let gates = model.moeLayers.count * model.routedExperts * model.hidden
    let routed = counts[.routedExperts]! / model.routedExperts * model.expertsPerToken
    switch formats {
    case "f32": #expect(result.integerMultiplyAdds == 0)
    case "q8_0": #expect(result.integerMultiplyAdds == result.multiplyAdds - 3 * gates)
    default: #expect(result.integerMultiplyAdds == 3 * routed)
    }
  }

  @Test("The limit of mixed arithmetic: each kind at its own peak, none where a peak is not known")
  func mixedLimit() {
    var result = BenchResult(test: BenchTest(prompt: 1, generated: 0), multiplyAdds: 40, integerMultiplyAdds: 30)
    var limits = BenchLimits(multiplyAddsF32PerSecond: 5, multiplyAddsInt8PerSecond: 30)
    #expect(limits.multiplyAddsPerSecond(of: result) == 40.0 / 3)
    limits.multiplyAddsF32PerSecond = nil
    #expect(limits.multiplyAddsPerSecond(of: result) == nil)
    result.integerMultiplyAdds = 40
    #expect(limits.multiplyAddsPerSecond(of: result) == 30)
    result.integerMultiplyAdds = 0
    #expect(limits.multiplyAddsPerSecond(of: result) == nil)
  }

  @Test("An interruption ends a test between two steps")
  func interrupted() throws {
    var steps = 0
    let bench = Bench(try session(plan), repetitions: 2) {
      steps += 1
      return steps > 3
    }
    #expect(throws: Interrupted.self) { try bench.run(plan.tests[0]) { _, _, _ in } }
  }

  @Test("Filling a cache is told in tokens, and done once")
  func progress() throws {
    let bench = Bench(try session(plan), repetitions: 1, warmsUp: false, isInterrupted: { false })
    var told: [String] = []
    for _ in 0..<2 {
      _ = try bench.run(BenchTest(prompt: 5, generated: 0, depth: 20)) { told.append("\($0) \($1)/\($2)") }
    }
    #expect(
      told == [
        "filling the cache to depth 20 8/20", "filling the cache to depth 20 16/20",
        "filling the cache to depth 20 20/20",
        "pp5 @ d20 0/1", "pp5 @ d20 0/1",
      ])
  }

  @Test("Limits are those of the threads and ranks of the run")
  func limits() throws {
    func calibration(_ names: [String]) throws -> Calibration {
      func host(_ name: String) -> String {
        """
        {"name": "\(name)", "ranks": [0, 1], "instruction_set": "avx2", "buffer_bytes": 1,
         "machine": {"cpu": "c", "cores": 4, "kernel": "k"},
         "read_bytes_per_second": [{"threads": 1, "best": 10, "median": 9}, {"threads": 4, "best": 30, "median": 29}],
         "read_by_all_ranks": {"ranks": 2, "threads_per_rank": 2, "best": 25, "median": 24},
         "multiply_adds_f32_per_second": [{"threads": 1, "best": 5, "median": 4}],
         "multiply_adds_int8_per_second": [{"threads": 1, "best": 20, "median": 19}]}
        """
      }
      let text = """
        {"schema": 1, "date": "d", "flotilla": "v", "links": [], "hosts": [\(names.map(host).joined(separator: ","))]}
        """
      return try JSONDecoder().decode(Calibration.self, from: Data(text.utf8))
    }
    func limits(_ names: [String], hosts: [String], threads: [Int]) throws -> BenchLimits {
      BenchLimits(
        try calibration(names),
        BenchSetup(
          model: "m", checkpoint: "c", format: "f", parameters: 1, weightBytes: 1, instructionSet: "avx2",
          hosts: hosts, threads: threads, prefillChunk: 1))
    }
    #expect(
      try limits(["a"], hosts: ["a"], threads: [1])
        == BenchLimits(readBytesPerSecond: 10, multiplyAddsF32PerSecond: 5, multiplyAddsInt8PerSecond: 20))
    // Three threads lie between one and four; of arithmetic only one was measured, and nobody has tried five.
    #expect(try limits(["a"], hosts: ["a"], threads: [3]) == BenchLimits(readBytesPerSecond: 30))
    #expect(try limits(["a"], hosts: ["a"], threads: [5]) == BenchLimits())
    #expect(try limits(["a"], hosts: ["a", "a"], threads: [2, 2]).readBytesPerSecond == 25)
    #expect(try limits(["a"], hosts: ["a", "a"], threads: [1, 1]).readBytesPerSecond == 30)
    #expect(try limits(["a", "b"], hosts: ["b", "a"], threads: [4, 4]).readBytesPerSecond == 60)
    #expect(try limits(["a", "b"], hosts: ["b", "a"], threads: [4, 5]).readBytesPerSecond == nil)
    // The only machine of a calibration is the only one of a run, whatever it is called today.
    #expect(try limits(["a"], hosts: ["x"], threads: [1]).readBytesPerSecond == 10)
    #expect(try limits(["a"], hosts: ["a", "x"], threads: [1, 1]) == BenchLimits())
  }
}

@Suite("Caches are used again")
struct EngineReuseTests {
  private func engine() throws -> Engine {
    var options = RunOptions(model: Fixtures.url("tiny-f32"), version: "test")
    options.threads = 1
    options.contextSize = 40
    options.prefillChunk = 4
    return try RunSession(options, fleet: Fleet(timeout: .seconds(10), hub: options.coordinator)).engine!
  }

  private func request(_ prompt: [Int], _ most: Int = 6) -> GenerationRequest {
    GenerationRequest(prompt: prompt, maxTokens: most, ignoresEndOfSequence: true)
  }

  /// Steps until a sequence has generated `count` tokens.
  private func tokens(_ engine: Engine, _ id: Int, _ count: Int) throws -> [GeneratedToken] {
    var found: [GeneratedToken] = []
    while found.count < count {
      for case .token(let token) in try engine.step() where token.sequence == id { found.append(token) }
    }
    return found
  }

  @Test("From a kept cache come the very tokens and probabilities of a fresh one", arguments: [0, 3, 7])
  func sameTokens(kept: Int) throws {
    let first = [0, 5, 6, 7, 8, 9, 10, 11]
    let second = Array(first.prefix(7)) + [20, 21, 22]
    let fresh = try engine()
    let expected = try tokens(fresh, try fresh.add(request(second)), 6)

    let engine = try engine()
    let old = try engine.add(request(first, 20))
    _ = try tokens(engine, old, 3)
    try engine.park(old)
    #expect(engine.isIdle)
    let new = try engine.resume(old, as: request(second), keeping: kept)
    let found = try tokens(engine, new, 6)
    #expect(found.map(\.id) == expected.map(\.id))
    #expect(found.map(\.logProbability) == expected.map(\.logProbability))
    #expect(engine.statistics.promptTokens == 8 + 10 - kept)
  }

  @Test("What cannot be kept is refused, and the sequence stays")
  func refused() throws {
    let engine = try engine()
    #expect(throws: RequestError("sequence 9: expected an active one, found none of that number")) {
      try engine.park(9)
    }
    let id = try engine.add(request([0, 5, 6, 7]))
    _ = try tokens(engine, id, 2)
    #expect(throws: RequestError("sequence 0: expected a parked one, found none of that number")) {
      try engine.resume(id, as: request([0, 5]), keeping: 1)
    }
    try engine.park(id)
    #expect(throws: RequestError("positions to keep of sequence 0: expected 0 to 4, found 5")) {
      try engine.resume(id, as: request([0, 5, 6, 7, 8, 9]), keeping: 5)
    }
    #expect(throws: RequestError("positions to keep of sequence 0: expected 0 to 2, found 3")) {
      try engine.resume(id, as: request([0, 5, 6]), keeping: 3)
    }
    #expect(throws: RequestError("prompt: expected the first 3 tokens of sequence 0, found others")) {
      try engine.resume(id, as: request([0, 5, 9, 7]), keeping: 3)
    }
    #expect(throws: RequestError("cache of sequence 0: expected room for 14 positions, found 10")) {
      try engine.resume(id, as: request([0, 5, 6, 7], 10), keeping: 3)
    }
    #expect(try tokens(engine, try engine.resume(id, as: request([0, 5, 6, 7]), keeping: 3), 6).count == 6)
  }

  @Test("Forced tokens come first, then the model's own")
  func forced() throws {
    let engine = try engine()
    var forced = request([0, 5, 6])
    forced.forcedTokens = [30, 31]
    let found = try tokens(engine, try engine.add(forced), 4)
    #expect(found.prefix(2).map(\.id) == [30, 31] && found.map(\.isForced) == [true, true, false, false])
    let plain = try self.engine()
    let same = try tokens(plain, try plain.add(request([0, 5, 6])), 1)[0]
    #expect(same.id != 30 && !same.isForced)
    forced.forcedTokens = [100_000]
    #expect(throws: RequestError.self) { try engine.add(forced) }
  }
}
