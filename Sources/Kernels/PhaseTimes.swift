/// The parts of a step that a throughput report tells apart.
public enum Phase: Int, CaseIterable, Sendable, Codable {
  case embedding, attention, denseFeedForward, gate, dispatch, expertCompute, sharedExpert, combine, wait
  case head, sampling
}

/// Seconds spent in each phase on one rank.
public struct PhaseTimes: Sendable, Equatable {
  private var seconds: [Double] = Array(repeating: 0, count: Phase.allCases.count)

  public init() {}

  public subscript(phase: Phase) -> Double {
    get { seconds[phase.rawValue] }
    set { seconds[phase.rawValue] = newValue }
  }

  public var total: Double { seconds.reduce(0, +) }

  public static func + (a: PhaseTimes, b: PhaseTimes) -> PhaseTimes { combine(a, b, +) }
  public static func - (a: PhaseTimes, b: PhaseTimes) -> PhaseTimes { combine(a, b, -) }

  private static func combine(_ a: PhaseTimes, _ b: PhaseTimes, _ operation: (Double, Double) -> Double) -> PhaseTimes {
    var result = PhaseTimes()
    for index in result.seconds.indices { result.seconds[index] = operation(a.seconds[index], b.seconds[index]) }
    return result
  }
}

extension Compute {
  /// Runs `body` and adds its duration to a phase, but for what was put aside meanwhile.
  public func measure<Result>(_ phase: Phase, _ body: () throws -> Result) rethrows -> Result {
    let start = MonotonicClock.seconds()
    let asideBefore = secondsAside
    defer {
      let end = MonotonicClock.seconds()
      phases[phase] += end - start - (secondsAside - asideBefore)
      timeline.add(phase, start: start, end: end)
    }
    return try body()
  }
}
