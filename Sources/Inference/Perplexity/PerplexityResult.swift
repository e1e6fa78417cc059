import Foundation

/// A mean and its standard error; the error is nil below two values.
public struct Estimate: Codable, Sendable, Equatable {
  public var value: Double
  public var error: Double?

  public init(value: Double, error: Double?) {
    self.value = value
    self.error = error
  }

  /// The mean of a sample. - Precondition: it is not empty.
  public init(mean values: [Double]) {
    self.init(value: SampleStatistics.mean(values)!, error: SampleStatistics.standardError(values))
  }

  /// e to the mean of a sample, by first-order propagation.
  public init(exponentialOfMean values: [Double]) {
    let mean = Estimate(mean: values)
    let value = exp(mean.value)
    self.init(value: value, error: mean.error.map { $0 * value })
  }
}

/// Perplexity of a text, as llama.cpp's tool estimates it.
public struct PerplexityResult: Codable, Sendable, Equatable {
  public var window: Int
  public var windows: Int
  /// Tokens scored.
  public var tokens: Int
  /// Run format of the weights.
  public var format: String
  public var perplexity: Estimate
  public var comparison: Comparison?

  /// Against another format of the same model, or another file of that configuration.
  public struct Comparison: Codable, Sendable, Equatable {
    public var baseFormat: String
    /// Name of the model whose logits the base's are; nil in results of older versions.
    public var baseModel: String?
    public var basePerplexity: Estimate
    /// Mean of ln(PPL / PPL of the base).
    public var logRatio: Estimate
    /// Correlation of the logarithms, token by token; nil where one does not vary.
    public var correlation: Double?
    /// Kullback-Leibler divergence from the base, nats.
    public var divergence: Distribution
    /// Probability of the true token less that under the base.
    public var probabilityDifference: Distribution
    /// Root of the mean square of that.
    public var probabilityDifferenceRMS: Double
    /// Share of positions at which both find the same token most probable.
    public var sameTop: Estimate

    enum CodingKeys: String, CodingKey {
      case divergence, correlation
      case baseFormat = "base_format"
      case baseModel = "base_model"
      case basePerplexity = "base_perplexity"
      case logRatio = "log_ratio"
      case probabilityDifference = "probability_difference"
      case probabilityDifferenceRMS = "probability_difference_rms"
      case sameTop = "same_top"
    }
  }

  /// A sample by its mean and percentiles.
  public struct Distribution: Codable, Sendable, Equatable {
    public var mean: Estimate
    public var minimum: Double
    public var p1: Double
    public var p10: Double
    public var p50: Double
    public var p90: Double
    public var p99: Double
    public var maximum: Double

    /// - Precondition: the sample is not empty.
    public init(_ values: [Double]) {
      let sorted = values.sorted()
      func percentile(_ share: Double) -> Double { SampleStatistics.percentile(share, ofSorted: sorted)! }
      mean = Estimate(mean: values)
      (minimum, p1, p10, p50) = (percentile(0), percentile(0.01), percentile(0.1), percentile(0.5))
      (p90, p99, maximum) = (percentile(0.9), percentile(0.99), percentile(1))
    }
  }
}

extension PerplexityResult {
  /// - Precondition: at least one score.
  public init(_ scores: [TokenScore], _ plan: PerplexityPlan, format: String) {
    self.init(
      window: plan.window, windows: plan.windows, tokens: scores.count, format: format,
      perplexity: Estimate(exponentialOfMean: scores.map(\.negativeLogLikelihood)))
  }

  /// - Precondition: at least one comparison.
  public init(
    _ comparisons: [TokenComparison], _ plan: PerplexityPlan, format: String, baseFormat: String,
    baseModel: String? = nil
  ) {
    self.init(comparisons.map(\.score), plan, format: format)
    let run = comparisons.map(\.score.negativeLogLikelihood)
    let base = comparisons.map(\.base.negativeLogLikelihood)
    let differences = comparisons.map(\.probabilityDifference)
    comparison = Comparison(
      baseFormat: baseFormat, baseModel: baseModel, basePerplexity: Estimate(exponentialOfMean: base),
      logRatio: Estimate(mean: zip(run, base).map { $0 - $1 }),
      correlation: SampleStatistics.correlation(run, base), divergence: Distribution(comparisons.map(\.divergence)),
      probabilityDifference: Distribution(differences),
      probabilityDifferenceRMS: SampleStatistics.mean(differences.map { $0 * $0 })!.squareRoot(),
      sameTop: Estimate(mean: comparisons.map { $0.score.best == $0.base.best ? 1 : 0 }))
  }
}
