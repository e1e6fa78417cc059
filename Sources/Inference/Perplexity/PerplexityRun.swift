import DeepSeek
import Kernels

/// Reads the windows of a text with a model and scores them, on the coordinator's rank.
public final class PerplexityRun {
  /// Windows done, of how many.
  public typealias Progress = (_ done: Int, _ total: Int) -> Void

  private let plan: PerplexityPlan
  private let model: Model
  private let fabric: any ExpertFabric
  private let chunk: Int

  /// - Parameter isInterrupted: asked between the layers of a step.
  public init(_ session: RunSession, plan: PerplexityPlan, isInterrupted: @escaping () -> Bool) {
    guard let engine = session.engine, let fabric = session.fabric else {
      preconditionFailure("only the coordinator scores")
    }
    self.plan = plan
    model = engine.model
    self.fabric = fabric
    chunk = session.limits.prefillChunk
    model.mayGoOn = { if isInterrupted() { throw Interrupted() } }
  }

  /// Scores every token, and keeps the logits where a file is given.
  ///
  /// - Throws: `Interrupted`, ``LogitsFileError``, ``LogitsNotFinite``, and what the fabric throws.
  public func scores(keeping file: LogitsFile? = nil, progress: Progress) throws -> [TokenScore] {
    var scores: [TokenScore] = []
    try forEachSlice(progress) { row, logits, truths in
      scores += inParallel(truths.count) { TokenScore(UnsafeBufferPointer(logits[$0]), truth: truths[$0]) }
      try verify(scores.suffix(truths.count), row: row)
      guard let file else { return }
      for index in truths.indices { try file.write(UnsafeBufferPointer(logits[index]), row: row + index) }
    }
    return scores
  }

  /// Scores every token and compares it with kept logits.
  ///
  /// - Throws: `Interrupted`, ``LogitsFileError``, ``LogitsNotFinite``, and what the fabric throws.
  public func comparisons(with base: LogitsFile, progress: Progress) throws -> [TokenComparison] {
    precondition(base.identity.vocabulary == model.configuration.vocabularySize)
    var comparisons: [TokenComparison] = []
    let buffer = ActivationBuffer(capacity: model.workspace.maxLogits, columns: model.configuration.vocabularySize)
    defer { withExtendedLifetime(buffer) {} }
    try forEachSlice(progress) { row, logits, truths in
      let kept = buffer.rows(truths.count)
      for index in truths.indices { try base.read(row: row + index, into: kept[index]) }
      comparisons += inParallel(truths.count) {
        TokenComparison(
          UnsafeBufferPointer(logits[$0]), base: UnsafeBufferPointer(kept[$0]), truth: truths[$0])
      }
      try verify(comparisons.suffix(truths.count).map(\.score), row: row)
    }
    return comparisons
  }

  /// - Parameter row: number of the first score over all windows.
  private func verify(_ scores: some Collection<TokenScore>, row: Int) throws {
    guard let bad = scores.enumerated().first(where: { !$0.element.negativeLogLikelihood.isFinite }) else { return }
    let index = row + bad.offset
    throw LogitsNotFinite(
      sequence: index / plan.scored.count, position: plan.scored.lowerBound + index % plan.scored.count)
  }

  /// Values that the pool's threads make.
  private func inParallel<Value>(_ count: Int, _ make: (Int) -> Value) -> [Value] {
    [Value](unsafeUninitializedCapacity: count) { buffer, initialized in
      let base = buffer.baseAddress
      model.compute.pool.run(tiles: count) { (base! + $0).initialize(to: make($0)) }
      initialized = count
    }
  }

  /// Logits of scored positions, some at a time.
  ///
  /// - Parameter body: number of the first position over all windows, logits `[count, V]`, the true tokens.
  private func forEachSlice(_ progress: Progress, _ body: (Int, ActivationRows, [Int]) throws -> Void) throws {
    var row = 0
    for index in 0..<plan.windows {
      progress(index, plan.windows)
      let input = plan.input(index)
      let cache = model.makeCache(capacity: plan.window)
      for start in stride(from: 0, to: plan.window - 1, by: chunk) {
        let positions = start..<min(start + chunk, plan.window - 1)
        var batch = Batch()
        batch.append(
          Segment(cache: cache, firstPosition: start, count: positions.count, form: .expanded), tokens: input[positions]
        )
        let hidden = try model.forward(batch, of: [index], kind: "window", fabric: fabric)
        let scored = positions.clamped(to: plan.scored)
        for first in stride(from: scored.lowerBound, to: scored.upperBound, by: model.workspace.maxLogits) {
          let slice = first..<min(first + model.workspace.maxLogits, scored.upperBound)
          let logits = try model.logits(of: slice.map { $0 - start }, in: hidden, fabric: fabric)
          try body(row, logits, slice.map { input[$0 + 1] })
          row += slice.count
        }
      }
    }
    progress(plan.windows, plan.windows)
  }
}
