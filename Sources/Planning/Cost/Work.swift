/// What a part of the model asks of the rank that computes it, once for a call: bytes of memory to read, and
/// multiply-adds for each row of input.
public struct Work: Sendable, Equatable {
  /// Bytes of weights to read, whatever the rows.
  public var weights = ByFormat()
  /// Bytes of other memory to read.
  public var otherBytes = 0.0
  /// Multiply-adds with these weights, for a row.
  public var multiplyAdds = ByFormat()
  /// Products, each a job for all threads.
  public var jobs = 0.0

  public init(
    weights: ByFormat = ByFormat(), otherBytes: Double = 0, multiplyAdds: ByFormat = ByFormat(), jobs: Double = 0
  ) {
    self.weights = weights
    self.otherBytes = otherBytes
    self.multiplyAdds = multiplyAdds
    self.jobs = jobs
  }

  static func + (left: Work, right: Work) -> Work {
    Work(
      weights: left.weights + right.weights, otherBytes: left.otherBytes + right.otherBytes,
      multiplyAdds: left.multiplyAdds + right.multiplyAdds, jobs: left.jobs + right.jobs)
  }

  static func += (left: inout Work, right: Work) { left = left + right }

  static func * (work: Work, factor: Double) -> Work {
    Work(
      weights: work.weights * factor, otherBytes: work.otherBytes * factor, multiplyAdds: work.multiplyAdds * factor,
      jobs: work.jobs * factor)
  }

  /// Bytes to read in all.
  public var bytes: Double { weights.sum + otherBytes }
}

/// Work turned into time on a rank: reading and computing overlap, but not fully.
public struct RooflineTime: Sendable, Equatable {
  /// Of reading, of computing, of starting the jobs; seconds.
  public var reading = 0.0
  public var computing = 0.0
  public var starting = 0.0
  /// Of computing: in f32.
  public var floating = 0.0
  /// Of computing: beyond one row's, which is counted in what reading takes.
  public var further = 0.0

  /// What does not overlap: a part of the shorter one.
  public var lost: Double { Efficiency.overlapLoss * min(reading, further) }

  public var seconds: Double { max(reading, computing) + lost + starting }
}

extension RankSpeed {
  /// Work on so many rows of input.
  func duration(_ work: Work, rows: Int, _ efficiency: Efficiency) -> RooflineTime {
    var time = reading(work, efficiency)
    add(work.multiplyAdds * Double(rows), class: Self.rowClass(rows), to: &time)
    time.further = max(0, time.computing - (work.multiplyAdds / products[0]).sum)
    return time
  }

  /// Work whose rows are spread unevenly over equal parts of it.
  ///
  /// - Parameters:
  ///   - work: multiply-adds are those of one part and row.
  ///   - rows: `[row classes]`: how many rows there are in parts that get about so many.
  func duration(
    _ work: Work, parts: Int, rowsByClass rows: some Sequence<Int>, _ efficiency: Efficiency
  ) -> RooflineTime {
    var time = reading(work, efficiency)
    for (index, rows) in rows.enumerated() where rows > 0 {
      add(work.multiplyAdds * Double(rows), class: index, to: &time)
    }
    time.further = max(0, time.computing - (work.multiplyAdds / products[0]).sum * Double(parts))
    return time
  }

  private func reading(_ work: Work, _ efficiency: Efficiency) -> RooflineTime {
    RooflineTime(
      reading: (work.weights / streamed).sum + work.otherBytes / (read * efficiency.memory),
      starting: work.jobs * efficiency.secondsPerJob)
  }

  private func add(_ multiplyAdds: ByFormat, class index: Int, to time: inout RooflineTime) {
    let seconds = multiplyAdds / products[index]
    time.computing += seconds.sum
    time.floating += seconds.float
  }
}
