import ExpertParallel

/// A run of random tokens through a model, as a phantom needs it: its own choices would mean nothing, and would soon
/// repeat. On the coordinator's rank.
public struct Simulation: Sendable {
  /// Tokens of each prompt.
  public var prompt: Int
  /// Tokens that each sequence has behind its prompt and that go through the layers.
  public var generated: Int
  /// Sequences at once.
  public var parallel: Int
  public var seed: UInt64

  public init(prompt: Int, generated: Int, parallel: Int = 1, seed: UInt64 = 0) {
    self.prompt = prompt
    self.generated = generated
    self.parallel = parallel
    self.seed = seed
  }

  /// Positions that each sequence needs.
  public var positions: Int { prompt + generated + 1 }

  /// Runs it.
  ///
  /// - Parameters:
  ///   - progress: tokens through the layers so far, and in all.
  ///   - isInterrupted: asked before each layer.
  /// - Throws: `Interrupted`, and what the engine throws.
  public func run(
    _ session: RunSession, progress: (_ done: Int, _ total: Int) -> Void, isInterrupted: @escaping () -> Bool
  ) throws {
    guard let engine = session.engine else { preconditionFailure("only the coordinator runs a simulation") }
    engine.model.mayGoOn = { if isInterrupted() { throw Interrupted() } }
    let configuration = session.configuration
    let special = Set([configuration.bosToken].compactMap { $0 } + configuration.eosTokens)
    let tokens = BenchTokens(
      vocabulary: configuration.vocabularySize, isSpecial: { special.contains($0) }, seed: seed)
    for sequence in 0..<parallel {
      let all = tokens.stream(sequence, count: positions)
      // The last token is chosen and not read.
      try engine.add(
        GenerationRequest(
          prompt: Array(all[..<prompt]), maxTokens: generated + 1, ignoresEndOfSequence: true,
          forcedTokens: Array(all[prompt...])))
    }
    let total = parallel * (prompt + generated)
    while !engine.isIdle {
      progress(engine.statistics.rowsComputed, total)
      _ = try engine.step()
    }
  }
}
