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

  public init(
    weights: ByFormat = ByFormat(), otherBytes: Double = 0, multiplyAdds: ByFormat = ByFormat(),
    outputs: ByFormat = ByFormat(), jobs: Double = 0
  ) {
    self.weights = weights
    self.otherBytes = otherBytes
    self.multiplyAdds = multiplyAdds
    self.outputs = outputs
    self.jobs = jobs
  }

  static func + (left: Work, right: Work) -> Work {
    Work(
      weights: left.weights + right.weights, otherBytes: left.otherBytes + right.otherBytes,
      multiplyAdds: left.multiplyAdds + right.multiplyAdds, outputs: left.outputs + right.outputs,
      jobs: left.jobs + right.jobs)
  }

  static func += (left: inout Work, right: Work) { left = left + right }

  static func * (work: Work, factor: Double) -> Work {
    Work(
      weights: work.weights * factor, otherBytes: work.otherBytes * factor, multiplyAdds: work.multiplyAdds * factor,
      outputs: work.outputs * factor, jobs: work.jobs * factor)
  }

  /// Bytes to read in all.
  public var bytes: Double { weights.sum + otherBytes }
}
