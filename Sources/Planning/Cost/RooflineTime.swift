import Inference
import Kernels

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
  /// Between products.
  public var elementwise = 0.0

  public var seconds: Double { max(reading, computing) + lost + elementwise + starting }
}

extension RankSpeed {
  /// Work on so many rows of input.
  func duration(_ work: Work, rows: Int, _ efficiency: Efficiency) -> RooflineTime {
    var time = RooflineTime(starting: work.jobs * secondsPerJob)
    let reading = reading(work)
    add(work, rows: rows, class: Self.rowClass(rows), reading: reading, parts: 1, to: &time)
    time.reading = reading.sum + otherReading(work, efficiency)
    time.elementwise = elements.seconds(work.tiledElements) * Double(rows) + inJobs(work.elements, rows: rows)
    return time
  }

  /// Rows in tiles: few rows are one thread's.
  private func inJobs(_ work: Elements, rows: Int) -> Double {
    let rowsOfTile = Double(Compute.operationsPerTile) / max(work.columns, 1)
    return max(
      elements.seconds(work) * Double(rows), elementsOfOneThread.seconds(work) * min(Double(rows), rowsOfTile))
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
    time.elementwise = elements.seconds(work.tiledElements) * Double(rows.reduce(0, +))
    return time
  }

  /// Of the weights, by format, from memory or from the last-level cache.
  private func reading(_ work: Work) -> ByFormat { work.weights / (holdsWeightsInCache ? cached : streamed) }

  private func otherReading(_ work: Work, _ efficiency: Efficiency) -> Double {
    work.otherBytes / (read * efficiency.memory)
  }

  /// What single products take longer since a tile is not divided: few rows of small matrices are one thread's.
  private func ofOneThread(_ work: Work, rows: Int, class index: Int) -> Double {
    let all = work.single * Double(rows)
    guard all.sum > 0 else { return 0 }
    let tiles = min(1, work.singleJobs * Double(Compute.multiplyAddsPerTile) / all.sum)
    return max(0, (all / productsOfOneThread[index]).sum * tiles - (all / products[index]).sum)
  }

  /// - Parameters:
  ///   - reading: what reading these parts takes.
  ///   - parts: whose first rows are counted in that.
  private func add(
    _ work: Work, rows: Int, class index: Int, reading: ByFormat, parts: Double, to time: inout RooflineTime
  ) {
    let seconds = work.multiplyAdds * Double(rows) / products[index] + work.outputs * Double(rows) * perOutput[index]
    let further = seconds - work.multiplyAdds * parts / products[0]
    time.computing += seconds.sum + ofOneThread(work, rows: rows, class: index)
    time.floating += seconds.float
    time.lost += (exposed[index] * reading.limited(to: further)).sum
  }
}
