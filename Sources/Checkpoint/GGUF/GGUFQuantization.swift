/// llama.cpp's name for the mix of types that a GGUF file was quantised to (`general.file_type`).
public struct GGUFQuantization: Sendable, Equatable {
  public let name: String

  private static let names: [Int: String] = [
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S",
    12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS",
    20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M",
    28: "IQ2_S", 29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4",
    39: "NVFP4",
  ]

  /// Nil where the file does not say it, or by a number that is not known.
  init?(_ metadata: GGUFMetadata) {
    guard let number = metadata[GGUFKeys.fileType]?.integer, let name = Self.names[number] else { return nil }
    self.name = name
  }

  /// The type of most tensors, where it can be read.
  public var usualType: ElementType? {
    ElementType.allCases.filter { GGMLType($0) != nil && name.hasPrefix($0.rawValue) }
      .max { $0.rawValue.utf8.count < $1.rawValue.utf8.count }
  }

  /// Whether its types can be read; of those that cannot, most tensors are.
  public var mayRun: Bool {
    !["IQ1", "IQ2", "IQ3", "TQ", "MXFP4", "NVFP4"].contains { name.hasPrefix($0) }
  }
}
