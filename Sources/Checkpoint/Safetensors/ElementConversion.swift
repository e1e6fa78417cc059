import Kernels

/// Conversion between storage types and f32. Exact towards f32; towards storage nearest, ties to even.
///
/// Source addresses may be unaligned: a safetensors header pads nothing.
public enum ElementConversion {
  /// f32 value of an E4M3FN code: no infinity, NaN is 0x7F and 0xFF, subnormals are multiples of 2^-9.
  public static func f32(e4m3 code: UInt8) -> Float {
    let magnitude = code & 0x7F
    let value: Float
    if magnitude == 0x7F {
      value = .nan
    } else if magnitude < 8 {
      value = Float(magnitude) * 0x1p-9
    } else {
      value = Float(bitPattern: (UInt32(magnitude) << 20) + (120 << 23))
    }
    return code & 0x80 == 0 ? value : -value
  }

  /// The nearest E4M3FN code; beyond 448 (after rounding) the largest finite one, as checkpoints store it.
  public static func e4m3(_ value: Float) -> UInt8 {
    let sign: UInt8 = value.sign == .minus ? 0x80 : 0
    if value.isNaN { return sign | 0x7F }
    let magnitude = value.magnitude
    if magnitude >= 448 { return sign | 0x7E }
    if magnitude < 0x1p-6 {
      return sign | UInt8((magnitude * 0x1p9).rounded(.toNearestOrEven))
    }
    let bits = magnitude.bitPattern
    let rounded = bits + 0x7FFFF + ((bits >> 20) & 1)
    return sign | UInt8(min((rounded >> 20) - (120 << 3), 0x7E))
  }

  @inline(__always)
  public static func f32(bf16 bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }

  @inline(__always)
  public static func bf16(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    if value.isNaN { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
    return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ ((bits >> 16) & 1)) >> 16)
  }

  @inline(__always)
  public static func f32(f16 bits: UInt16) -> Float {
    let magnitude = UInt32(bits & 0x7FFF)
    let sign = UInt32(bits & 0x8000) << 16
    let rebias: UInt32 = magnitude >= 0x7C00 ? 224 << 23 : 112 << 23
    let normal = (magnitude << 13) &+ rebias
    let subnormal = (Float(Int32(bitPattern: magnitude)) * 0x1p-24).bitPattern
    return Float(bitPattern: sign | (magnitude < 0x400 ? subnormal : normal))
  }

  /// The nearest half-precision number; beyond 65504 (after rounding) an infinity.
  @inline(__always)
  public static func f16(_ value: Float) -> UInt16 {
    let sign = UInt16(truncatingIfNeeded: value.bitPattern >> 16) & 0x8000
    let magnitude = value.bitPattern & 0x7FFF_FFFF
    if magnitude > 0x7F80_0000 { return sign | 0x7E00 }
    if magnitude >= 0x4780_0000 { return sign | 0x7C00 }
    if magnitude < 0x3880_0000 {
      return sign | UInt16((value.magnitude * 0x1p24).rounded(.toNearestOrEven))
    }
    let rounded = magnitude &+ 0xFFF &+ ((magnitude >> 13) & 1)
    return sign | UInt16(truncatingIfNeeded: (rounded >> 13) &- (112 << 10))
  }

  /// The f32 values of all 256 E4M3FN codes.
  static let e4m3Table: [Float] = (0...255).map { f32(e4m3: UInt8($0)) }

  /// Converts `count` elements of `type` to f32; whole blocks, where there are blocks. FP8 codes are converted
  /// without their scale.
  ///
  /// - Returns: false where `type` is no floating-point type of weights.
  static func convert(
    _ source: UnsafeRawPointer, _ type: ElementType, count: Int, into out: UnsafeMutablePointer<Float>
  ) -> Bool {
    switch type {
    case .f32:
      UnsafeMutableRawPointer(out).copyMemory(from: source, byteCount: count * 4)
    case .bf16:
      for i in 0..<count { out[i] = f32(bf16: source.loadUnaligned(fromByteOffset: i &* 2, as: UInt16.self)) }
    case .f16:
      for i in 0..<count { out[i] = f32(f16: source.loadUnaligned(fromByteOffset: i &* 2, as: UInt16.self)) }
    case .f8e4m3:
      scale(source, by: 1, count: count, into: out)
    case .q4_1, .q8_0, .q4_K, .q6_K:
      guard let block = type.block else { return false }
      KernelTable.best.dequantize(
        block, blocks: UnsafeRawBufferPointer(start: source, count: block.bytes(columns: count)),
        into: UnsafeMutableBufferPointer(start: out, count: count))
    default:
      return StoredBlocks.read(source, type, count: count, into: out)
    }
    return true
  }

  /// `out[i] = e4m3(source[i]) * factor`.
  static func scale(
    _ source: UnsafeRawPointer, by factor: Float, count: Int, into out: UnsafeMutablePointer<Float>
  ) {
    e4m3Table.withUnsafeBufferPointer { table in
      let values = table.baseAddress!
      for i in 0..<count {
        out[i] = values[Int(source.load(fromByteOffset: i, as: UInt8.self))] * factor
      }
    }
  }
}
