// Blocks of 256 weights with scales for 16 or 32 of them.
extension StoredBlocks {
  /// Q2_K: 16 bytes of sub-scale (lower half) and minimum for 16 weights each, 64 bytes of codes, f16 scale, f16 scale
  /// of the minima. Value: scale * sub-scale * code - minimum's scale * minimum.
  static func readQ2_K(_ base: UnsafeRawPointer, into out: UnsafeMutablePointer<Float>) {
    let (scale, minimum) = (half(base, 80), half(base, 82))
    for part in 0..<16 {
      let packed = byte(base, part)
      let (step, offset) = (scale * Float(packed & 15), minimum * Float(packed >> 4))
      let (codes, shift) = (base + 16 + codesOfPart(part), part % 8 / 2 &* 2)
      for index in 0..<16 { out[part * 16 + index] = step * Float(byte(codes, index) &>> shift & 3) - offset }
    }
  }

  /// Q3_K: 32 bytes of third bits, 64 bytes of the lower two, 12 bytes with 16 sub-scales of 6 bits, f16 scale.
  /// Value: scale * (sub-scale - 32) * (code - 4).
  static func readQ3_K(_ base: UnsafeRawPointer, into out: UnsafeMutablePointer<Float>) {
    let scale = half(base, 108)
    for part in 0..<16 {
      let step = scale * Float(subscaleQ3_K(base, part))
      forEachQ3_K(base, part) { out[part * 16 + $0] = step * Float($1) }
    }
  }

  /// Q5_K: f16 scale, f16 scale of the minima, 12 bytes with 8 sub-scales and 8 minima of 6 bits, 32 bytes of fifth
  /// bits, 128 bytes of the lower four. Value: scale * sub-scale * code - minimum's scale * minimum.
  static func readQ5_K(_ base: UnsafeRawPointer, into out: UnsafeMutablePointer<Float>) {
    let (scale, minimum) = (half(base, 0), half(base, 2))
    for part in 0..<8 {
      let (subscale, subminimum) = sixBitPair(base + 4, part)
      let (step, offset) = (scale * Float(subscale), minimum * Float(subminimum))
      let (codes, shift) = (base + 48 + part / 2 * 32, part % 2 &* 4)
      for index in 0..<32 {
        let code = byte(codes, index) &>> shift & 15 | (byte(base, 16 + index) &>> part & 1) &<< 4
        out[part * 32 + index] = step * Float(code) - offset
      }
    }
  }

  /// Where the 16 codes of a part of Q2_K and Q3_K begin: two parts lie side by side, four pairs share their bytes.
  @inline(__always)
  private static func codesOfPart(_ part: Int) -> Int { part / 8 &* 32 &+ part % 2 &* 16 }

  /// -32 to 31.
  @inline(__always)
  private static func subscaleQ3_K(_ base: UnsafeRawPointer, _ part: Int) -> Int {
    let low = byte(base, 96 + part % 8) &>> (part / 8 &* 4) & 15
    return (low | (byte(base, 104 + part % 4) &>> (part / 4 &* 2) & 3) &<< 4) &- 32
  }

  /// The values of a part, -4 to 3.
  @inline(__always)
  private static func forEachQ3_K(
    _ base: UnsafeRawPointer, _ part: Int, _ body: (_ index: Int, _ value: Int) -> Void
  ) {
    let (codes, shift) = (base + 32 + codesOfPart(part), part % 8 / 2 &* 2)
    let third = base + part % 2 * 16
    for index in 0..<16 {
      let high = byte(third, index) &>> (part / 2) & 1
      body(index, (byte(codes, index) &>> shift & 3 | high &<< 2) &- 4)
    }
  }

  /// Sub-scale and minimum of a part, of 6 bits each: four parts whole, the others in lower halves and upper bits.
  @inline(__always)
  private static func sixBitPair(_ packed: UnsafeRawPointer, _ part: Int) -> (scale: Int, minimum: Int) {
    guard part >= 4 else { return (byte(packed, part) & 63, byte(packed, part + 4) & 63) }
    return (
      byte(packed, part + 4) & 15 | (byte(packed, part - 4) & 192) >> 2,
      byte(packed, part + 4) >> 4 | (byte(packed, part) & 192) >> 2
    )
  }

  @inline(__always)
  private static func put(_ bits: UInt8, into target: UnsafeMutableRawPointer) {
    target.storeBytes(of: target.load(as: UInt8.self) | bits, as: UInt8.self)
  }

  /// Q3_K -> Q6_K: the same scale and sub-scales, codes 28 to 35, which stand for -4 to 3.
  static func repackQ3_K(_ source: UnsafeRawPointer, into target: UnsafeMutableRawPointer) {
    (target + 208).copyMemory(from: source + 108, byteCount: 2)
    // Codes are put together bit by bit.
    target.initializeMemory(as: UInt8.self, repeating: 0, count: 192)
    for part in 0..<16 {
      target.storeBytes(of: Int8(subscaleQ3_K(source, part)), toByteOffset: 192 + part, as: Int8.self)
      let low = target + part / 8 * 64 + part % 4 * 16
      let high = target + 128 + part / 8 * 32 + part % 2 * 16
      forEachQ3_K(source, part) { index, value in
        let code = UInt8(value &+ 32)
        put((code & 15) &<< UInt8(part % 8 / 4 &* 4), into: low + index)
        put((code >> 4) &<< UInt8(part % 8 / 2 &* 2), into: high + index)
      }
    }
  }
}
