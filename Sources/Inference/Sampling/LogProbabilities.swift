import Kernels

/// Natural logarithms of the model's own probabilities, from logits `[V]` f32.
struct LogProbabilities {
  private let logits: UnsafeMutableBufferPointer<Float>
  private let logSum: Double

  /// Nil where logits are NaN, or the largest is infinite.
  init?(_ logits: UnsafeMutableBufferPointer<Float>, compute: Compute) {
    self.logits = logits
    let maximum = logits[Sampler.best(UnsafeBufferPointer(logits))]
    let sum = withUnsafeTemporaryAllocation(of: Float.self, capacity: logits.count) { scratch in
      _ = scratch.update(from: logits)
      return compute.exp(scratch, shift: maximum)
    }
    guard maximum.isFinite, sum.isFinite else { return nil }
    logSum = Double(maximum) + ElementaryFunctions.log(Double(max(sum, .leastNormalMagnitude)))
  }

  subscript(id: Int) -> Double { Double(logits[id]) - logSum }

  /// The `count` most probable ids, best first.
  func top(_ count: Int) -> [GeneratedToken.Alternative] {
    guard count > 0 else { return [] }
    var best: [Int] = []
    for id in logits.indices {
      if best.count == count && logits[id] <= logits[best[count - 1]] { continue }
      let place = best.firstIndex { logits[$0] < logits[id] } ?? best.count
      best.insert(id, at: place)
      if best.count > count { best.removeLast() }
    }
    return best.map { .init(id: $0, logProbability: self[$0]) }
  }
}
