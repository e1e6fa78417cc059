import Inference
import Reporting
import Testing

@Suite("Perplexity for people")
struct PerplexityReportTests {
  private let plan = try! PerplexityPlan(tokens: Array(0..<20), window: 10, most: nil, bosToken: nil)

  @Test("An estimate with its error")
  func alone() {
    let scores = [1.0, 3].map { TokenScore(negativeLogLikelihood: $0, best: 0) }
    #expect(
      PerplexityReport(PerplexityResult(scores, plan, format: "bf16")).text == """
        2 windows of 10 tokens, 2 scored, bf16
        Final estimate: PPL = 7.3891 ± 7.38906

        """)
  }

  @Test("A comparison in lines")
  func comparison() {
    let comparisons = [0.5, 0.25].map {
      TokenComparison(
        base: .init(negativeLogLikelihood: 1, best: 3),
        score: .init(negativeLogLikelihood: 1 + $0, best: $0 > 0.3 ? 2 : 3),
        divergence: $0)
    }
    let lines = PerplexityReport(PerplexityResult(comparisons, plan, format: "q4_K", baseFormat: "f32")).text
      .split(separator: "\n").map { $0.split(separator: "  ").map { $0.trimmingCharacters(in: .whitespaces) } }
    #expect(lines[2] == ["Against f32"])
    let named = PerplexityResult(comparisons, plan, format: "q4_K", baseFormat: "f32", baseModel: "mini")
    #expect(PerplexityReport(named).text.contains("\nAgainst f32 of mini\n"))
    #expect(lines[3] == ["PPL of the base", "2.7183 ± 0.00000"])
    #expect(lines[4] == ["Mean ln(PPL/base)", "0.375000 ± 0.1250000"])
    #expect(lines[5] == ["Correlation of ln(PPL)", "–"])
    #expect(lines[6] == ["KL divergence: mean", "0.375000 ± 0.1250000"])
    #expect(lines[7] == ["maximum", "0.500000"] && lines[10] == ["p50", "0.375000"])
    #expect(lines.last == ["Same most probable token", "50.000 % ± 50.000 %"])
  }
}
