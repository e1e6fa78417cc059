// Blocks of 32 weights; codes j and j + 16 share a byte.
extension StoredBlocks {
  /// Q4_0: f16 scale, 16 bytes of codes. Value: scale * (code - 8).
  static func readQ4_0(_ base: UnsafeRawPointer, into out: UnsafeMutablePointer<Float>) {
    let scale = half(base, 0)
    for index in 0..<16 {
      let codes = byte(base, 2 + index)
      out[index] = scale * Float(codes & 15 &- 8)
      out[index + 16] = scale * Float(codes >> 4 &- 8)
    }
  }

  /// Q5_0: f16 scale, 32 fifth bits, 16 bytes of the lower four. Value: scale * (code - 16).
  static func readQ5_0(_ base: UnsafeRawPointer, into out: UnsafeMutablePointer<Float>) {
    let scale = half(base, 0)
    forEachFiveBits(base + 2) { out[$0] = scale * Float($1 &- 16) }
  }

  /// Q5_1: f16 scale, f16 offset, then as Q5_0. Value: scale * code + offset.
  static func readQ5_1(_ base: UnsafeRawPointer, into out: UnsafeMutablePointer<Float>) {
    let (scale, offset) = (half(base, 0), half(base, 2))
    forEachFiveBits(base + 4) { out[$0] = scale * Float($1) + offset }
  }

  /// 32 fifth bits, 16 bytes of the lower four.
  @inline(__always)
  private static func forEachFiveBits(_ base: UnsafeRawPointer, _ body: (_ index: Int, _ code: Int) -> Void) {
    let high = Int(UInt32(littleEndian: base.loadUnaligned(as: UInt32.self)))
    for index in 0..<16 {
      let codes = byte(base, 4 + index)
      body(index, codes & 15 | (high &>> index & 1) &<< 4)
      body(index + 16, codes >> 4 | (high &>> (index + 16) & 1) &<< 4)
    }
  }

  /// Q4_0 -> Q4_1: scale * (code - 8) is scale * code + offset with the offset -8 * scale, which f16 holds exactly up to
  /// scales of 8,188.
  static func repackQ4_0(_ source: UnsafeRawPointer, into target: UnsafeMutableRawPointer) {
    let scale = source.loadUnaligned(as: Float16.self)
    target.storeBytes(of: scale, as: Float16.self)
    target.storeBytes(of: scale * -8, toByteOffset: 2, as: Float16.self)
    (target + 4).copyMemory(from: source + 2, byteCount: 16)
  }

  /// Q5_0 -> Q8_0: the same scale, codes -16 to 15.
  static func repackQ5_0(_ source: UnsafeRawPointer, into target: UnsafeMutableRawPointer) {
    target.storeBytes(of: source.loadUnaligned(as: UInt16.self), as: UInt16.self)
    forEachFiveBits(source + 2) { target.storeBytes(of: Int8($1 &- 16), toByteOffset: 2 + $0, as: Int8.self) }
  }
}

// Blocks whose four bits name one of sixteen numbers.
extension StoredBlocks {
  /// The numbers of IQ4_NL and IQ4_XS: denser near 0, where most weights are.
  static let codebook: [Int8] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113]

  /// IQ4_NL: f16 scale, 16 bytes of codes. Value: scale * number.
  static func readIQ4_NL(_ base: UnsafeRawPointer, into out: UnsafeMutablePointer<Float>) {
    readNamed(base + 2, step: half(base, 0), into: out)
  }

  /// IQ4_XS, 256 weights: f16 scale, 8 sub-scales of 6 bits (the upper two of each, then the lower four), codes.
  /// Value: scale * (sub-scale - 32) * number.
  static func readIQ4_XS(_ base: UnsafeRawPointer, into out: UnsafeMutablePointer<Float>) {
    let scale = half(base, 0)
    let high = byte(base, 2) | byte(base, 3) &<< 8
    for part in 0..<8 {
      let low = byte(base, 4 + part / 2) &>> (part % 2 &* 4) & 15
      let step = scale * Float((low | (high &>> (2 &* part) & 3) &<< 4) &- 32)
      readNamed(base + 8 + part * 16, step: step, into: out + part * 32)
    }
  }

  /// 32 weights from 16 bytes.
  @inline(__always)
  private static func readNamed(_ codes: UnsafeRawPointer, step: Float, into out: UnsafeMutablePointer<Float>) {
    codebook.withUnsafeBufferPointer { numbers in
      for index in 0..<16 {
        let pair = byte(codes, index)
        out[index] = step * Float(numbers[pair & 15])
        out[index + 16] = step * Float(numbers[pair >> 4])
      }
    }
  }

  /// IQ4_NL -> Q8_0: the same scale, the numbers as codes.
  static func repackIQ4_NL(_ source: UnsafeRawPointer, into target: UnsafeMutableRawPointer) {
    target.storeBytes(of: source.loadUnaligned(as: UInt16.self), as: UInt16.self)
    codebook.withUnsafeBufferPointer { numbers in
      for index in 0..<16 {
        let pair = byte(source, 2 + index)
        target.storeBytes(of: numbers[pair & 15], toByteOffset: 2 + index, as: Int8.self)
        target.storeBytes(of: numbers[pair >> 4], toByteOffset: 18 + index, as: Int8.self)
      }
    }
  }
}
