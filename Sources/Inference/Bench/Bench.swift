import ExpertParallel
import Kernels

/// Measures how fast a model reads and generates, on the coordinator's rank.
///
/// Sequences that have been filled to a depth are parked and used again by every repetition.
public final class Bench {
  /// What is being done, and how many tokens of how many.
  public typealias Progress = (_ what: String, _ done: Int, _ total: Int) -> Void

  private let engine: Engine
  private let fabric: CoordinatorFabric
  private let repetitions: Int
  private let warmsUp: Bool
  private let isInterrupted: () -> Bool
  private let tokens: BenchTokens
  /// Sequences that wait between tests, and the positions of theirs that are filled, by stream of tokens.
  private var parked: [(id: Int, depth: Int)] = []

  /// - Parameters:
  ///   - session: one with room for the plan, see ``RunOptions/makeRoom(for:)``.
  ///   - warmsUp: runs each test once before it counts.
  ///   - isInterrupted: asked between steps and between the layers of one.
  public init(
    _ session: RunSession, repetitions: Int, warmsUp: Bool = true, seed: UInt64 = 0,
    isInterrupted: @escaping () -> Bool
  ) {
    guard let engine = session.engine, let fabric = session.fabric else {
      preconditionFailure("only the coordinator measures")
    }
    self.engine = engine
    self.fabric = fabric
    self.repetitions = repetitions
    self.warmsUp = warmsUp
    self.isInterrupted = isInterrupted
    engine.model.mayGoOn = { if isInterrupted() { throw Interrupted() } }
    let special = Set([session.configuration.bosToken].compactMap { $0 } + session.configuration.eosTokens)
    tokens = BenchTokens(
      vocabulary: session.configuration.vocabularySize,
      isSpecial: { [tokenizer = session.tokenizer] in special.contains($0) || tokenizer?.isSpecial($0) == true },
      seed: seed)
  }

  /// Runs a test.
  ///
  /// - Throws: `Interrupted`, and what the engine throws.
  public func run(_ test: BenchTest, progress: Progress) throws -> BenchResult {
    for stream in 0..<test.parallel { try fill(stream, to: test.depth, of: test.parallel, progress) }
    var result = BenchResult(test: test)
    if warmsUp {
      progress("\(test.name), warm-up", 0, repetitions)
      var short = test
      short.generated = min(test.generated, Self.warmUpTokens)
      var unused = BenchResult(test: short)
      try repetition(short, &unused)
    }
    for index in 0..<repetitions {
      progress(test.name, index, repetitions)
      try repetition(test, &result)
    }
    return result
  }

  /// A few steps are enough to touch what generating touches.
  private static let warmUpTokens = 4

  // MARK: One repetition

  private func repetition(_ test: BenchTest, _ result: inout BenchResult) throws {
    let depth = max(test.depth, test.prompt > 0 ? 0 : 1)
    // Without a prompt of its own a sequence reads its last token again, before the clock starts.
    let kept = test.prompt > 0 ? depth : depth - 1
    for stream in 0..<test.parallel {
      let all = tokens.stream(stream, count: engine.limits.contextSize)
      let prompt = Array(all[..<(depth + test.prompt)])
      let request = GenerationRequest(
        prompt: prompt, maxTokens: engine.limits.contextSize - prompt.count, ignoresEndOfSequence: true,
        forcedTokens: Array(all[prompt.count...]))
      parked[stream].id = try engine.resume(parked[stream].id, as: request, keeping: kept)
    }
    if test.prompt == 0 { while try step() < test.parallel {} }
    let before = try work()
    let start = MonotonicClock.seconds()
    if test.prompt > 0 {
      while try step() == 0 {}
      result.firstTokenSeconds.append(MonotonicClock.seconds() - start)
    }
    for _ in 0..<test.generated {
      let begin = MonotonicClock.seconds()
      _ = try step()
      result.tokenSeconds.append(MonotonicClock.seconds() - begin)
    }
    result.seconds.append(MonotonicClock.seconds() - start)
    let after = try work()
    result.weightBytes += after.weightBytes - before.weightBytes
    result.multiplyAdds += after.multiplyAdds - before.multiplyAdds
    result.integerMultiplyAdds += after.integerMultiplyAdds - before.integerMultiplyAdds
    result.cacheBytes += after.cacheBytes - before.cacheBytes
    for stream in 0..<test.parallel {
      try engine.park(parked[stream].id)
      parked[stream].depth = depth + test.prompt
    }
  }

  /// One step; returns how many tokens it generated.
  private func step() throws -> Int {
    if isInterrupted() { throw Interrupted() }
    return try engine.step().count { if case .token = $0 { true } else { false } }
  }

  /// What all ranks have done so far.
  private func work() throws -> BenchResult {
    var sum = BenchResult(test: BenchTest(prompt: 0, generated: 0))
    for rank in try fabric.gatherStatistics() {
      sum.weightBytes += rank.weightBytesRead
      sum.multiplyAdds += rank.parametersApplied
      sum.integerMultiplyAdds += rank.integerParametersApplied
    }
    sum.cacheBytes = engine.statistics.cachedPositionsRead * engine.model.cacheBytesPerPosition
    return sum
  }

  // MARK: Depth

  /// Reads tokens until a sequence's cache holds `depth` positions, and parks it.
  private func fill(_ stream: Int, to depth: Int, of sequences: Int, _ progress: Progress) throws {
    let wanted = max(depth, 1)
    guard stream >= parked.count || parked[stream].depth < wanted else { return }
    let prompt = tokens.stream(stream, count: wanted)
    let request = GenerationRequest(
      prompt: prompt, maxTokens: engine.limits.contextSize - wanted, ignoresEndOfSequence: true)
    let id: Int
    if stream < parked.count {
      let kept = min(parked[stream].depth, wanted - 1)
      id = try engine.resume(parked[stream].id, as: request, keeping: kept)
    } else {
      id = try engine.add(request)
      parked.append((id, 0))
    }
    let who = sequences > 1 ? ", sequence \(stream + 1) of \(sequences)" : ""
    let what = "filling the cache to depth \(wanted)\(who)"
    var isFilled = false
    while !isFilled {
      if isInterrupted() { throw Interrupted() }
      for event in try engine.step() {
        if case .prefill(_, let done, let total) = event, depth > 0 { progress(what, done, total) }
        if case .token = event { isFilled = true }
      }
    }
    try engine.park(id)
    parked[stream] = (id, wanted)
  }
}
