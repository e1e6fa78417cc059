import Kernels

extension SpeedMeter {
  /// What the kernels reach with all threads of `compute`, format by format.
  func products(_ buffer: StreamBuffer, _ compute: Compute) throws -> [Calibration.ProductSpeed] {
    try WeightFormat.allCases.map { format in
      let all = ProductTrial(format, tokens: 1, weightRows: nil, in: buffer, compute)
      let streamed = try median { Double(all.bytes) / seconds { all.pass() } }
      let speeds = try Calibration.ProductSpeed.rows.map { rows in
        let trial = ProductTrial(format, tokens: rows, weightRows: Self.cachedRows, in: buffer, compute)
        let (tiles, calls) = (8 * compute.pool.threads, calls(of: trial))
        let work = Double(trial.multiplyAdds * tiles * calls)
        return Calibration.RowSpeed(
          rows: rows, perSecond: try median { work / seconds { trial.run(tiles: tiles, calls: calls) } })
      }
      return Calibration.ProductSpeed(
        format: format, threads: compute.pool.threads, streamedBytesPerSecond: streamed, multiplyAdds: speeds)
    }
  }

  /// 74 KB in 4 bits, 512 KB in f32.
  private static let cachedRows = 64

  /// Calls that take about a fifth of a millisecond together.
  private func calls(of trial: ProductTrial) -> Int {
    let fastest = (0..<3).map { _ in seconds { trial.run(tiles: 1, calls: 1) } }.min() ?? 0
    return max(1, Int(0.2e-3 / max(fastest, 1e-7)))
  }

  private func seconds(_ work: () -> Void) -> Double {
    let start = MonotonicClock.seconds()
    work()
    return max(MonotonicClock.seconds() - start, 1e-9)
  }

  /// Of half the repeats: there are many of these.
  private func median(_ measure: () -> Double) throws -> Double {
    try SampleStatistics.median(samples((options.repeats + 1) / 2, measure)) ?? 0
  }
}
