import Kernels

extension Calibration {
  /// What a step along rows costs: all threads at once, each over rows of its own. Seconds over what all of them did.
  public struct ElementwiseCost: Codable, Sendable, Equatable {
    public var step: ElementwiseTrial.Step
    public var secondsPerNumber: Double
    /// Whatever the row's numbers.
    public var secondsPerRow: Double

    public init(step: ElementwiseTrial.Step, secondsPerNumber: Double, secondsPerRow: Double) {
      self.step = step
      self.secondsPerNumber = secondsPerNumber
      self.secondsPerRow = secondsPerRow
    }

    enum CodingKeys: String, CodingKey {
      case step
      case secondsPerNumber = "seconds_per_number"
      case secondsPerRow = "seconds_per_row"
    }

    /// Numbers of the rows that are measured.
    package static let columns = (short: 256, long: 2048)

    /// The line through short and long rows, of which none costs less than nothing.
    ///
    /// - Parameters:
    ///   - short: seconds of a row of ``columns``.
    ///   - long: the same.
    init(_ step: ElementwiseTrial.Step, short: Double, long: Double) {
      let columns = (short: Double(Self.columns.short), long: Double(Self.columns.long))
      let slope = min(max(0, long - short) / (columns.long - columns.short), long / columns.long)
      self.init(step: step, secondsPerNumber: slope, secondsPerRow: long - slope * columns.long)
    }
  }
}

extension Calibration.ElementwiseCost {
  func mapped(_ change: (Double) -> Double) -> Self {
    Self(step: step, secondsPerNumber: change(secondsPerNumber), secondsPerRow: change(secondsPerRow))
  }
}

extension StrictFile {
  /// Every step once, no cost below 0.
  func verify(_ costs: [Calibration.ElementwiseCost], _ path: String) throws(CalibrationError) {
    let (steps, all) = (costs.map(\.step.rawValue), ElementwiseTrial.Step.allCases.map(\.rawValue))
    guard steps == all else {
      throw wrong(path, "the steps \(all.joined(separator: ", "))", steps.prefix(9).joined(separator: ", "))
    }
    for (index, cost) in costs.enumerated() {
      for (value, name) in [(cost.secondsPerNumber, "seconds_per_number"), (cost.secondsPerRow, "seconds_per_row")]
      where !(0...1e-3).contains(value) {
        throw wrong("\(path)[\(index)].\(name)", "0 to 0.001", "\(value)")
      }
    }
  }
}
