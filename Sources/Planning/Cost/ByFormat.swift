import Kernels

/// A number for each weight format.
public struct ByFormat: Sendable, Equatable {
  private var values: SIMD8<Double>

  public init(repeating value: Double = 0) { values = SIMD8(repeating: value) }

  private init(_ values: SIMD8<Double>) { self.values = values }

  public subscript(format: WeightFormat) -> Double {
    get { values[Self.place(format)] }
    set { values[Self.place(format)] = newValue }
  }

  private static func place(_ format: WeightFormat) -> Int {
    switch format {
    case .f32: 0
    case .bf16: 1
    case .fp8: 2
    case .q8_0: 3
    case .q4_1: 4
    case .q4_K: 5
    case .q6_K: 6
    }
  }

  public var sum: Double { values.sum() }
  /// Of the formats whose products are in f32; the others' are in int8.
  var float: Double { values[0] + values[1] + values[2] }

  static func + (left: ByFormat, right: ByFormat) -> ByFormat { ByFormat(left.values + right.values) }
  static func * (left: ByFormat, factor: Double) -> ByFormat { ByFormat(left.values * factor) }
  /// Work over speed: seconds. Speeds are above 0.
  static func / (work: ByFormat, speed: ByFormat) -> ByFormat { ByFormat(work.values / speed.values) }

  static func * (left: ByFormat, right: ByFormat) -> ByFormat { ByFormat(left.values * right.values) }
  /// 0 where the right side is the larger one.
  static func - (left: ByFormat, right: ByFormat) -> ByFormat {
    ByFormat(pointwiseMax(left.values - right.values, SIMD8(repeating: 0)))
  }

  func limited(to other: ByFormat) -> ByFormat { ByFormat(pointwiseMin(values, other.values)) }
}
