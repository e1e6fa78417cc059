import Kernels

extension SpeedMeter {
  /// What work besides products costs with all threads of `compute`.
  func costs(_ buffer: StreamBuffer, _ compute: Compute) throws -> Calibration.ThreadCosts {
    let perJob = try max(secondsPerJob(buffer, compute), Self.leastSecondsPerJob)
    let attention = try Calibration.AttentionSpeed.sizes.map { size in
      let trial = AttentionTrial(size.form, content: size.content, rotary: size.rotary, value: size.value, compute)
      let calls = calls { trial.run(calls: 1) }
      let work = Double(trial.multiplyAdds * compute.pool.threads * calls)
      return Calibration.AttentionSpeed(
        form: size.form, content: size.content, rotary: size.rotary, value: size.value,
        multiplyAddsPerSecond: try median { work / seconds { trial.run(calls: calls) } })
    }
    return Calibration.ThreadCosts(
      threads: compute.pool.threads, secondsPerJob: perJob, attention: attention, elementwise: try elementwise(compute))
  }

  private func elementwise(_ compute: Compute) throws -> [Calibration.ElementwiseCost] {
    let sizes = Calibration.ElementwiseCost.columns
    let short = ElementwiseTrial(columns: sizes.short, compute)
    let long = ElementwiseTrial(columns: sizes.long, compute)
    return try ElementwiseTrial.Step.allCases.map { step in
      func perRow(_ trial: ElementwiseTrial) throws -> Double {
        let calls = calls { trial.run(step, calls: 1) }
        return try median { seconds { trial.run(step, calls: calls) } / Double(trial.rows * calls) }
      }
      return Calibration.ElementwiseCost(step, short: try perRow(short), long: try perRow(long))
    }
  }

  /// A small product on every thread takes so much longer than on one.
  private func secondsPerJob(_ buffer: StreamBuffer, _ compute: Compute) throws -> Double {
    let product = ProductTrial(
      .q8_0, tokens: 1, weightRows: PackedMatrix.panelRows, columns: 256, in: buffer, compute)
    let jobs = 2000
    func perJob(tiles: Int) throws -> Double {
      let samples = try samples((options.repeats + 1) / 2) {
        seconds { for _ in 0..<jobs { product.run(tiles: tiles, calls: 1) } } / Double(jobs)
      }
      // A thread that another process keeps from waking says nothing of jobs.
      return samples.min() ?? 0
    }
    return try perJob(tiles: compute.pool.threads) - perJob(tiles: 1)
  }

  /// Of a job that nobody has to be woken for.
  private static let leastSecondsPerJob = 2e-8

  /// Calls that take about a fifth of a millisecond together.
  func calls(_ work: () -> Void) -> Int {
    let fastest = (0..<3).map { _ in seconds(work) }.min() ?? 0
    return max(1, Int(0.2e-3 / max(fastest, 1e-7)))
  }

  func seconds(_ work: () -> Void) -> Double {
    let start = MonotonicClock.seconds()
    work()
    return max(MonotonicClock.seconds() - start, 1e-9)
  }

  /// Of half the repeats: there are many of these.
  func median(_ measure: () -> Double) throws -> Double {
    try SampleStatistics.median(samples((options.repeats + 1) / 2, measure)) ?? 0
  }
}
