import Inference
import Kernels

/// Work along rows between products: how many numbers pass through each kind of step, and how many rows.
public struct Elements: Sendable, Equatable {
  /// By step.
  private var numbers = SIMD4<Double>()
  private var rows = SIMD4<Double>()

  public init() {}

  mutating func add(_ step: ElementwiseTrial.Step, columns: Int, rows count: Double = 1) {
    numbers[step.place] += Double(columns) * count
    rows[step.place] += count
  }

  /// Numbers in all steps.
  public var count: Double { numbers.sum() }
  /// Of a step.
  public func count(_ step: ElementwiseTrial.Step) -> Double { numbers[step.place] }
  /// Numbers of a row: the mean.
  var columns: Double { count / max(rows.sum(), 1) }

  static func + (left: Elements, right: Elements) -> Elements {
    var sum = left
    sum.numbers += right.numbers
    sum.rows += right.rows
    return sum
  }

  static func * (elements: Elements, factor: Double) -> Elements {
    var product = elements
    product.numbers *= factor
    product.rows *= factor
    return product
  }

  fileprivate func seconds(perNumber: SIMD4<Double>, perRow: SIMD4<Double>) -> Double {
    (numbers * perNumber + rows * perRow).sum()
  }
}

/// What ``Elements`` cost: seconds for a number and for a row in each kind of step.
public struct ElementCost: Sendable, Equatable {
  private var perNumber: SIMD4<Double>
  private var perRow: SIMD4<Double>

  init(_ costs: [Calibration.ElementwiseCost]) {
    (perNumber, perRow) = (SIMD4(), SIMD4())
    for cost in costs {
      perNumber[cost.step.place] = cost.secondsPerNumber
      perRow[cost.step.place] = cost.secondsPerRow
    }
  }

  func seconds(_ elements: Elements) -> Double { elements.seconds(perNumber: perNumber, perRow: perRow) }

  static func * (cost: ElementCost, factor: Double) -> ElementCost {
    var product = cost
    product.perNumber *= factor
    product.perRow *= factor
    return product
  }

  /// At least as much.
  func atLeast(_ other: ElementCost) -> ElementCost {
    var most = self
    most.perNumber = pointwiseMax(perNumber, other.perNumber)
    most.perRow = pointwiseMax(perRow, other.perRow)
    return most
  }
}

extension ElementwiseTrial.Step {
  fileprivate var place: Int {
    switch self {
    case .norm: 0
    case .encode: 1
    case .add: 2
    case .activate: 3
    }
  }
}
