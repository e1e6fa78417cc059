/// What the names of formats in other programs and papers ask for: "int8", "Q5_K_M", "fp16".
public enum PrecisionName: Sendable, Equatable {
  case f32, f16, bf16, fp8
  /// Blocks of integers: 8 bits; 5 or 6; 4 or fewer.
  case bits8, bits6, bits4

  /// - Parameter name: in any case; a whole name, not the beginning of one.
  public init?(_ name: String) {
    var bare = name.lowercased().replacing("-", with: "_")
    if bare.hasPrefix("ud_") { bare.removeFirst(3) }
    switch bare {
    case "f32", "fp32", "float32", "float": self = .f32
    case "f16", "fp16", "float16", "half": self = .f16
    case "bf16", "bfloat16": self = .bf16
    case "int8", "i8", "8bit", "8_bit", "w8a8": self = .bits8
    case "int6", "6bit", "6_bit", "int5", "5bit", "5_bit": self = .bits6
    case "int4", "i4", "4bit", "4_bit", "w4a16", "nf4", "fp4": self = .bits4
    default:
      guard let precision = Self.families.first(where: { bare.hasPrefix($0.prefix) })?.precision else { return nil }
      self = precision
    }
  }

  /// How names begin that go on with a variant: "q5" of Q5_K_M, "f8" of F8_E4M3.
  private static let families: [(prefix: String, precision: PrecisionName)] = [
    ("f8", .fp8), ("fp8", .fp8), ("float8", .fp8), ("e4m3", .fp8), ("q8_", .bits8), ("q6_", .bits6), ("q5", .bits6),
    ("q4_", .bits4), ("iq4", .bits4), ("mxfp4", .bits4), ("nvfp4", .bits4), ("q3", .bits4), ("iq3", .bits4),
    ("q2", .bits4), ("iq2", .bits4), ("iq1", .bits4), ("tq1", .bits4), ("tq2", .bits4),
  ]
}
