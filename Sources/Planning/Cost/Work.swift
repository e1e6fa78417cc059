/// What a part of the model asks of the rank that computes it, once for a call: bytes of memory to read, and
/// multiply-adds for each row of input.
public struct Work: Sendable, Equatable {
  /// Weights to read, whatever the rows.
  public var bytes = 0.0
  /// Multiply-adds for a row, in int8: with weights of 4-bit codes, and of wider ones.
  public var block = 0.0
  public var wide = 0.0
  /// Multiply-adds with floating-point weights for a row, in f32.
  public var float = 0.0
  /// Products, each a job for all threads.
  public var jobs = 0.0

  public init(bytes: Double = 0, block: Double = 0, wide: Double = 0, float: Double = 0, jobs: Double = 0) {
    self.bytes = bytes
    self.block = block
    self.wide = wide
    self.float = float
    self.jobs = jobs
  }

  static func + (left: Work, right: Work) -> Work {
    Work(
      bytes: left.bytes + right.bytes, block: left.block + right.block, wide: left.wide + right.wide,
      float: left.float + right.float, jobs: left.jobs + right.jobs)
  }

  static func += (left: inout Work, right: Work) { left = left + right }

  static func * (work: Work, factor: Double) -> Work {
    Work(
      bytes: work.bytes * factor, block: work.block * factor, wide: work.wide * factor, float: work.float * factor,
      jobs: work.jobs * factor)
  }

  /// Multiply-adds for a row of input.
  public var multiplyAdds: Double { block + wide + float }
}

/// Work turned into time on a rank: reading and computing overlap, so the longer one counts.
public struct RooflineTime: Sendable, Equatable {
  /// Of reading, of computing, of starting the jobs; seconds.
  public var reading = 0.0
  public var computing = 0.0
  public var starting = 0.0
  /// Of computing: in f32.
  public var floating = 0.0

  public var seconds: Double { max(reading, computing) + starting }
}

extension RankSpeed {
  func duration(_ work: Work, rows: Int, _ efficiency: Efficiency) -> RooflineTime {
    let count = Double(rows)
    let floating = count * work.float / (f32 * efficiency.floatProducts)
    return RooflineTime(
      reading: work.bytes / (read * efficiency.memory),
      computing: count * (work.block / int8 + work.wide / wide) / efficiency.blockProduct(rows: rows) + floating,
      starting: work.jobs * efficiency.secondsPerJob, floating: floating)
  }
}
