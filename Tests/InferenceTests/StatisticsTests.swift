import Inference
import Testing

@Suite("Statistics of samples")
struct StatisticsTests {
  @Test("Nothing has no statistics, one value has no spread")
  func small() {
    #expect(SampleStatistics.mean([]) == nil && SampleStatistics.median([]) == nil)
    #expect(SampleStatistics.standardDeviation([]) == nil && SampleStatistics.percentile(1, of: []) == nil)
    #expect(SampleStatistics.mean([3]) == 3 && SampleStatistics.standardDeviation([3]) == 0)
    #expect(SampleStatistics.standardError([3]) == nil)
    #expect(SampleStatistics.percentile(0.99, of: [3]) == 3)
  }

  @Test("Mean, deviation and error of a known sample")
  func known() {
    let values = [2.0, 4, 4, 4, 5, 5, 7, 9]
    #expect(SampleStatistics.mean(values) == 5)
    #expect(SampleStatistics.standardDeviation(values) == (32.0 / 7).squareRoot())
    #expect(SampleStatistics.standardError(values) == (32.0 / 7).squareRoot() / 8.0.squareRoot())
  }

  @Test(
    "Percentiles lie between neighbours, whatever the order",
    arguments: [(0.0, 1.0), (0.25, 2.0), (0.5, 3.0), (0.6, 3.4), (0.99, 9.76), (1, 10)])
  func percentiles(share: Double, expected: Double) {
    let found = SampleStatistics.percentile(share, of: [4, 1, 10, 2, 3])!
    #expect(abs(found - expected) < 1e-12)
  }

  @Test("Correlation is 1, -1 or nil where nothing varies")
  func correlation() {
    #expect(abs(SampleStatistics.correlation([1, 2, 3], [10, 20, 30])! - 1) < 1e-12)
    #expect(abs(SampleStatistics.correlation([1, 2, 3], [6, 4, 2])! + 1) < 1e-12)
    #expect(SampleStatistics.correlation([1, 2, 3], [5, 5, 5]) == nil)
    #expect(SampleStatistics.correlation([], []) == nil)
  }
}
