/// What a part of the model asks of the rank that computes it, once for a call: bytes of memory to read, and
/// multiply-adds for each row of input.
public struct Work: Sendable, Equatable {
  /// Bytes of weights to read, whatever the rows.
  public var weights = ByFormat()
  /// Bytes of other memory to read.
  public var otherBytes = 0.0
  /// Multiply-adds with these weights, for a row.
  public var multiplyAdds = ByFormat()
  /// Numbers that come out of these products, for a row.
  public var outputs = ByFormat()
  /// Products, each a job for all threads.
  public var jobs = 0.0
  /// Of the multiply-adds, those of jobs of one matrix, and these jobs.
  public var single = ByFormat()
  public var singleJobs = 0.0
  /// Between products, for a row: in jobs of their own, a tile for some rows; and inside the tiles of products.
  public var elements = Elements()
  public var tiledElements = Elements()

  public init(
    weights: ByFormat = ByFormat(), otherBytes: Double = 0, multiplyAdds: ByFormat = ByFormat(),
    outputs: ByFormat = ByFormat(), jobs: Double = 0, elements: Elements = Elements(),
    tiledElements: Elements = Elements()
  ) {
    self.weights = weights
    self.otherBytes = otherBytes
    self.multiplyAdds = multiplyAdds
    self.outputs = outputs
    self.jobs = jobs
    self.elements = elements
    self.tiledElements = tiledElements
  }

  static func + (left: Work, right: Work) -> Work {
    var sum = Work(
      weights: left.weights + right.weights, otherBytes: left.otherBytes + right.otherBytes,
      multiplyAdds: left.multiplyAdds + right.multiplyAdds, outputs: left.outputs + right.outputs,
      jobs: left.jobs + right.jobs, elements: left.elements + right.elements,
      tiledElements: left.tiledElements + right.tiledElements)
    (sum.single, sum.singleJobs) = (left.single + right.single, left.singleJobs + right.singleJobs)
    return sum
  }

  /// Some products taken off; what lies between products stays.
  static func - (left: Work, right: Work) -> Work {
    var rest = Work(
      weights: left.weights - right.weights, otherBytes: max(0, left.otherBytes - right.otherBytes),
      multiplyAdds: left.multiplyAdds - right.multiplyAdds, outputs: left.outputs - right.outputs,
      jobs: max(0, left.jobs - right.jobs), elements: left.elements, tiledElements: left.tiledElements)
    (rest.single, rest.singleJobs) = (left.single - right.single, max(0, left.singleJobs - right.singleJobs))
    return rest
  }

  static func += (left: inout Work, right: Work) { left = left + right }

  static func * (work: Work, factor: Double) -> Work {
    var product = Work(
      weights: work.weights * factor, otherBytes: work.otherBytes * factor, multiplyAdds: work.multiplyAdds * factor,
      outputs: work.outputs * factor, jobs: work.jobs * factor, elements: work.elements * factor,
      tiledElements: work.tiledElements * factor)
    (product.single, product.singleJobs) = (work.single * factor, work.singleJobs * factor)
    return product
  }

  /// Bytes to read in all.
  public var bytes: Double { weights.sum + otherBytes }
}
