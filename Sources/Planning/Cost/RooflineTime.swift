import Inference

/// Work turned into time on a rank: reading and computing overlap, but not fully.
public struct RooflineTime: Sendable, Equatable {
  /// Of reading, of computing, of starting the jobs; seconds.
  public var reading = 0.0
  public var computing = 0.0
  public var starting = 0.0
  /// Of computing: in f32.
  public var floating = 0.0
  /// Of the shorter one of reading and computing: what does not overlap.
  public var lost = 0.0

  public var seconds: Double { max(reading, computing) + lost + starting }
}

extension RankSpeed {
  /// Work on so many rows of input.
  func duration(_ work: Work, rows: Int, _ efficiency: Efficiency) -> RooflineTime {
    var time = RooflineTime(starting: work.jobs * secondsPerJob)
    let reading = reading(work)
    add(work, rows: rows, class: Self.rowClass(rows), reading: reading, parts: 1, to: &time)
    time.reading = reading.sum + otherReading(work, efficiency)
    return time
  }

  /// Work whose rows are spread unevenly over equal parts of it.
  ///
  /// - Parameters:
  ///   - work: multiply-adds and outputs are those of one part and row.
  ///   - rows: `[row classes]`: how many rows there are in parts that get about so many.
  func duration(
    _ work: Work, parts: Int, rowsByClass rows: some Sequence<Int>, _ efficiency: Efficiency
  ) -> RooflineTime {
    var time = RooflineTime(starting: work.jobs * secondsPerJob)
    let reading = reading(work)
    // Of each class about so many parts.
    let counts = zip(rows, Calibration.ProductSpeed.rows).map { Double($0) / Double($1) }
    let all = counts.reduce(0, +)
    for (index, rows) in rows.enumerated() where rows > 0 {
      let share = counts[index] / all
      add(
        work, rows: rows, class: index, reading: reading * share, parts: Double(parts) * share, to: &time)
    }
    time.reading = reading.sum + otherReading(work, efficiency)
    return time
  }

  /// Of the weights, by format; nothing where the last-level cache holds all of them.
  private func reading(_ work: Work) -> ByFormat { holdsWeightsInCache ? ByFormat() : work.weights / streamed }

  private func otherReading(_ work: Work, _ efficiency: Efficiency) -> Double {
    work.otherBytes / (read * efficiency.memory)
  }

  /// - Parameters:
  ///   - reading: what reading these parts takes.
  ///   - parts: whose first rows are counted in that.
  private func add(
    _ work: Work, rows: Int, class index: Int, reading: ByFormat, parts: Double, to time: inout RooflineTime
  ) {
    let seconds = work.multiplyAdds * Double(rows) / products[index] + work.outputs * Double(rows) * perOutput[index]
    let further = seconds - work.multiplyAdds * parts / products[0]
    time.computing += seconds.sum
    time.floating += seconds.float
    time.lost += (exposed[index] * reading.limited(to: further)).sum
  }
}
