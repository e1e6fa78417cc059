import Kernels

/// Block formats that GGUF files hold and no kernel runs: their numbers, and those of their blocks that another format
/// holds number for number.
///
/// Each value is computed as the format defines it: scales first, one rounding for each operation.
package enum StoredBlocks {
  /// Reads `count` weights, whole blocks, as f32.
  ///
  /// - Returns: false where `type` is none of these formats.
  package static func read(
    _ source: UnsafeRawPointer, _ type: ElementType, count: Int, into out: UnsafeMutablePointer<Float>
  ) -> Bool {
    guard let size = GGMLType.blocks[type], let read = reader(type) else { return false }
    for block in 0..<count / size.blockElements {
      read(source + block * size.blockBytes, out + block * size.blockElements)
    }
    return true
  }

  /// Reads one block.
  private static func reader(_ type: ElementType) -> ((UnsafeRawPointer, UnsafeMutablePointer<Float>) -> Void)? {
    switch type {
    case .q4_0: readQ4_0
    case .q5_0: readQ5_0
    case .q5_1: readQ5_1
    case .q2_K: readQ2_K
    case .q3_K: readQ3_K
    case .q5_K: readQ5_K
    case .iq4_NL: readIQ4_NL
    case .iq4_XS: readIQ4_XS
    default: nil
    }
  }

  /// Rewrites one block as a block of a run format that holds the same numbers; nil where it does not.
  package static func repacker(
    _ type: ElementType, _ block: BlockFormat
  ) -> ((UnsafeRawPointer, UnsafeMutableRawPointer) -> Void)? {
    switch (type, block) {
    case (.q4_0, .q4_1): repackQ4_0
    case (.q5_0, .q8_0): repackQ5_0
    case (.iq4_NL, .q8_0): repackIQ4_NL
    case (.q3_K, .q6_K): repackQ3_K
    default: nil
    }
  }

  @inline(__always)
  static func half(_ base: UnsafeRawPointer, _ offset: Int) -> Float {
    ElementConversion.f32(f16: base.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
  }

  @inline(__always)
  static func byte(_ base: UnsafeRawPointer, _ offset: Int) -> Int {
    Int(base.load(fromByteOffset: offset, as: UInt8.self))
  }
}
