import Foundation
import Inference

/// Perplexity and divergence for people.
public struct PerplexityReport {
  private let result: PerplexityResult

  public init(_ result: PerplexityResult) { self.result = result }

  /// Ends with a line feed.
  public var text: String {
    var lines = [
      "\(result.windows) window\(result.windows == 1 ? "" : "s") of \(result.window) tokens, "
        + "\(Format.exact(result.tokens)) scored, \(result.format)",
      "Final estimate: PPL = \(Self.text(result.perplexity, 4))",
    ]
    if let comparison = result.comparison { lines += Self.lines(comparison, result) }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func lines(_ comparison: PerplexityResult.Comparison, _ result: PerplexityResult) -> [String] {
    let (divergence, difference) = (comparison.divergence, comparison.probabilityDifference)
    let model = comparison.baseModel.map { " of \(printable($0))" } ?? ""
    var table = TextTable([.init("Against \(comparison.baseFormat)\(model)", .left), .init("", .left)])
    func add(_ title: String, _ text: String) { table.append([title, text]) }
    add("PPL of the base", text(comparison.basePerplexity, 4))
    add("Mean ln(PPL/base)", text(comparison.logRatio, 6))
    add("Correlation of ln(PPL)", comparison.correlation.map { share($0) } ?? Format.none)
    add("KL divergence: mean", text(divergence.mean, 6))
    add("  maximum", fixed(divergence.maximum, 6))
    add("  p99", fixed(divergence.p99, 6))
    add("  p90", fixed(divergence.p90, 6))
    add("  p50", fixed(divergence.p50, 6))
    add("Probability of the true token: mean difference", percent(difference.mean))
    add("  root mean square", share(comparison.probabilityDifferenceRMS))
    add("  p1 / p50 / p99", [difference.p1, difference.p50, difference.p99].map { share($0) }.joined(separator: " / "))
    add("Same most probable token", percent(comparison.sameTop))
    return [""] + table.lines()
  }

  private static func fixed(_ value: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", value) }

  private static func text(_ estimate: Estimate, _ digits: Int) -> String {
    "\(fixed(estimate.value, digits)) ± \(estimate.error.map { fixed($0, digits + 1) } ?? Format.none)"
  }

  private static func share(_ value: Double) -> String { fixed(value * 100, 3) + " %" }

  private static func percent(_ estimate: Estimate) -> String {
    "\(share(estimate.value)) ± \(estimate.error.map { share($0) } ?? Format.none)"
  }
}
