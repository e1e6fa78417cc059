/// What a handful of measurements say together. Empty samples have no statistics: nil.
public enum SampleStatistics {
  public static func mean(_ values: [Double]) -> Double? {
    values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
  }

  /// Standard deviation of the population that the values were drawn from (divisor n - 1); 0 for one value.
  public static func standardDeviation(_ values: [Double]) -> Double? {
    guard let mean = mean(values) else { return nil }
    guard values.count > 1 else { return 0 }
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    return (squares / Double(values.count - 1)).squareRoot()
  }

  /// Standard error of the mean: the deviation over the root of n; nil below two values.
  public static func standardError(_ values: [Double]) -> Double? {
    guard values.count > 1, let deviation = standardDeviation(values) else { return nil }
    return deviation / Double(values.count).squareRoot()
  }

  /// The value below which a share of the sample lies, between two neighbours by linear interpolation.
  ///
  /// - Parameters:
  ///   - share: 0 the smallest, 0.5 the median, 1 the largest.
  public static func percentile(_ share: Double, of values: [Double]) -> Double? {
    percentile(share, ofSorted: values.sorted())
  }

  /// ``percentile(_:of:)`` of values that ascend.
  public static func percentile(_ share: Double, ofSorted values: [Double]) -> Double? {
    precondition(share >= 0 && share <= 1)
    guard let last = values.last else { return nil }
    let place = share * Double(values.count - 1)
    let lower = Int(place)
    guard lower + 1 < values.count else { return last }
    return values[lower] + (place - Double(lower)) * (values[lower + 1] - values[lower])
  }

  public static func median(_ values: [Double]) -> Double? { percentile(0.5, of: values) }

  /// Pearson's correlation of two samples of one length; nil where one of them does not vary.
  public static func correlation(_ a: [Double], _ b: [Double]) -> Double? {
    precondition(a.count == b.count)
    guard let meanA = mean(a), let meanB = mean(b) else { return nil }
    var (product, squareA, squareB) = (0.0, 0.0, 0.0)
    for (x, y) in zip(a, b) {
      product += (x - meanA) * (y - meanB)
      squareA += (x - meanA) * (x - meanA)
      squareB += (y - meanB) * (y - meanB)
    }
    guard squareA > 0, squareB > 0 else { return nil }
    return product / (squareA * squareB).squareRoot()
  }
}
