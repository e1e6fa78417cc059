import Kernels

/// Chooses the next token of a sequence from its logits.
///
/// All arithmetic is fixed (our own exp, one order of sums), so the same logits give the same token anywhere.
public final class Sampler {
  private let compute: Compute
  /// `[V]` scaled logits, then probabilities.
  private let scratch: ActivationBuffer
  private var candidates: [Int] = []

  public init(vocabularySize: Int, compute: Compute) {
    self.compute = compute
    scratch = ActivationBuffer(capacity: 1, columns: vocabularySize)
  }

  /// - Parameters:
  ///   - logits: `[V]` f32.
  ///   - history: tokens of the sequence so far, for the repetition penalty.
  ///   - sequence, position: key of the random number.
  public func next(
    _ logits: UnsafeMutableBufferPointer<Float>, history: some Sequence<Int>, options: SamplingOptions,
    sequence: UInt64, position: Int
  ) -> Int {
    let values = scratch.rows(1)[0]
    _ = values.update(from: logits)
    penalise(values, history: history, penalty: Float(options.repetitionPenalty))
    let best = Self.best(UnsafeBufferPointer(values))
    let scale = Float(1 / options.temperature)
    // Where scaled logits would overflow, the best is the only one with a probability above 0.
    guard options.temperature > 0, (values[best] * scale).isFinite else { return best }
    compute.scale(values, by: scale)
    keepCandidates(values, options)
    let draw = CounterGenerator(seed: options.seed).uniform(sequence: sequence, position: UInt64(position))
    return pick(values, draw: draw)
  }

  /// The index of the largest logit, the lowest among equals; NaN never wins.
  public static func best(_ logits: UnsafeBufferPointer<Float>) -> Int {
    var best = 0
    for index in logits.indices where logits[index] > logits[best] || logits[best].isNaN { best = index }
    return best
  }

  private func penalise(_ values: UnsafeMutableBufferPointer<Float>, history: some Sequence<Int>, penalty: Float) {
    guard penalty != 1 else { return }
    for token in Set(history) where values.indices.contains(token) {
      values[token] = values[token] > 0 ? values[token] / penalty : values[token] * penalty
    }
  }

  /// Leaves in `candidates` the tokens that may be drawn, most probable first (in order of ids where all may be), and
  /// in `values` their probabilities times a common factor.
  private func keepCandidates(_ values: UnsafeMutableBufferPointer<Float>, _ options: SamplingOptions) {
    let best = Self.best(UnsafeBufferPointer(values))
    let sum = Double(compute.exp(values, shift: values[best]))
    if options.topK == 0 && options.topP >= 1 && options.minP == 0 {
      candidates.removeAll(keepingCapacity: true)
      candidates.append(contentsOf: values.indices)
      return
    }
    func precedes(_ a: Int, _ b: Int) -> Bool { values[a] != values[b] ? values[a] > values[b] : a < b }

    // Rare tokens are looked at only where the frequent ones do not suffice.
    for floor in [Float(1e-3), 0] {
      candidates.removeAll(keepingCapacity: true)
      for token in values.indices where values[token] >= floor || token == best { candidates.append(token) }
      candidates.sort(by: precedes)
      if floor > 0 && !suffices(values, sum: sum, options, floor: floor) { continue }
      break
    }
    var total = sum
    if options.topK > 0 {
      candidates.removeLast(max(candidates.count - options.topK, 0))
      total = candidates.reduce(0) { $0 + Double(values[$1]) }
    }
    if options.topP < 1 { keepTopP(values, share: options.topP * total) }
    let least = Float(options.minP) * values[best]
    candidates.removeAll { values[$0] < least && $0 != best }
  }

  /// Whether the tokens above `floor` hold all that top-k, top-p or min-p would keep.
  private func suffices(
    _ values: UnsafeMutableBufferPointer<Float>, sum: Double, _ options: SamplingOptions, floor: Float
  ) -> Bool {
    if options.topK > 0 && candidates.count >= options.topK { return true }
    if options.topK == 0 && options.topP < 1 {
      return candidates.reduce(0) { $0 + Double(values[$1]) } >= options.topP * sum
    }
    return Float(options.minP) >= floor
  }

  /// Keeps the first candidates whose probabilities sum to at least `share`.
  private func keepTopP(_ values: UnsafeMutableBufferPointer<Float>, share: Double) {
    var cumulated = 0.0
    for (index, token) in candidates.enumerated() {
      cumulated += Double(values[token])
      if cumulated >= share {
        candidates.removeLast(candidates.count - index - 1)
        return
      }
    }
  }

  private func pick(_ values: UnsafeMutableBufferPointer<Float>, draw: Double) -> Int {
    let total = candidates.reduce(0) { $0 + Double(values[$1]) }
    var cumulated = 0.0
    for token in candidates {
      cumulated += Double(values[token])
      if draw * total < cumulated { return token }
    }
    return candidates[candidates.count - 1]
  }
}
