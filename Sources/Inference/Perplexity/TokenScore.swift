import Foundation

/// How well a model predicted one token, from logits `[V]` f32.
public struct TokenScore: Sendable, Equatable {
  /// ln of the true token's probability, times -1.
  public let negativeLogLikelihood: Double
  /// The most probable token.
  public let best: Int

  public init(negativeLogLikelihood: Double, best: Int) {
    self.negativeLogLikelihood = negativeLogLikelihood
    self.best = best
  }

  init(_ logits: UnsafeBufferPointer<Float>, truth: Int) { self.init(logits, LogSum(logits), truth: truth) }

  fileprivate init(_ logits: UnsafeBufferPointer<Float>, _ sum: LogSum, truth: Int) {
    self.init(negativeLogLikelihood: sum.value - Double(logits[truth]), best: sum.best)
  }

  public var probability: Double { exp(-negativeLogLikelihood) }
}

/// The same token predicted by two runs of a model.
public struct TokenComparison: Sendable, Equatable {
  public let base: TokenScore
  public let score: TokenScore
  /// Kullback-Leibler divergence of the run from the base, in nats: sum of p_base * ln(p_base / p).
  public let divergence: Double

  public init(base: TokenScore, score: TokenScore, divergence: Double) {
    self.base = base
    self.score = score
    self.divergence = divergence
  }

  /// - Parameters:
  ///   - logits: `[V]` of the run.
  ///   - base: `[V]` of the base.
  package init(_ logits: UnsafeBufferPointer<Float>, base: UnsafeBufferPointer<Float>, truth: Int) {
    precondition(logits.count == base.count)
    let (sum, baseSum) = (LogSum(logits), LogSum(base))
    var divergence = 0.0
    for id in base.indices {
      let logBase = Double(base[id]) - baseSum.value
      // What is less probable than e^-40 adds nothing.
      guard logBase > -40 else { continue }
      divergence += exp(logBase) * (logBase - (Double(logits[id]) - sum.value))
    }
    self.init(
      base: TokenScore(base, baseSum, truth: truth), score: TokenScore(logits, sum, truth: truth),
      // Rounding may leave less than nothing of what is never negative.
      divergence: max(0, divergence))
  }

  /// By how much the run thinks the true token more probable than the base does.
  public var probabilityDifference: Double { score.probability - base.probability }
}

/// ln of the sum of e^logit, in f64, and the largest logit's index. Statistics: no bits of a model depend on it.
private struct LogSum {
  let value: Double
  let best: Int

  init(_ logits: UnsafeBufferPointer<Float>) {
    best = Sampler.best(logits)
    let maximum = Double(logits[best])
    value = maximum + log(logits.reduce(0.0) { $0 + exp(Double($1) - maximum) })
  }
}
