/// Block formats that GGUF files hold and no kernel runs: llama.cpp writes Q5_0 where 256 does not divide a row of a
/// Q4_K file. Blocks of 32; codes j and j + 16 share a byte.
enum OldBlocks {
  /// Q4_0: f16 scale, 16 bytes of codes. Value: scale * (code - 8).
  static func readQ4(_ source: UnsafeRawPointer, count: Int, into out: UnsafeMutablePointer<Float>) {
    for block in 0..<count / 32 {
      let base = source + block * 18
      let scale = ElementConversion.f32(f16: base.loadUnaligned(as: UInt16.self))
      for index in 0..<16 {
        let byte = base.load(fromByteOffset: 2 + index, as: UInt8.self)
        out[block * 32 + index] = scale * Float(Int(byte & 15) - 8)
        out[block * 32 + index + 16] = scale * Float(Int(byte >> 4) - 8)
      }
    }
  }

  /// Q5_0: f16 scale, 32 fifth bits, 16 bytes of the lower four. Value: scale * (code - 16).
  static func readQ5(_ source: UnsafeRawPointer, count: Int, into out: UnsafeMutablePointer<Float>) {
    for block in 0..<count / 32 {
      let base = source + block * 22
      let scale = ElementConversion.f32(f16: base.loadUnaligned(as: UInt16.self))
      let high = UInt32(littleEndian: base.loadUnaligned(fromByteOffset: 2, as: UInt32.self))
      for index in 0..<16 {
        let byte = base.load(fromByteOffset: 6 + index, as: UInt8.self)
        let low = Int(byte & 15) | Int(high >> UInt32(index) & 1) << 4
        let up = Int(byte >> 4) | Int(high >> UInt32(index + 16) & 1) << 4
        out[block * 32 + index] = scale * Float(low - 16)
        out[block * 32 + index + 16] = scale * Float(up - 16)
      }
    }
  }

  /// Q4_0 -> Q4_1: scale * (code - 8) is scale * code + offset with the offset -8 * scale, which f16 holds exactly up to
  /// scales of 8,188.
  static func repackQ4(_ source: UnsafeRawPointer, into target: UnsafeMutableRawPointer) {
    let scale = source.loadUnaligned(as: Float16.self)
    target.storeBytes(of: scale, as: Float16.self)
    target.storeBytes(of: scale * -8, toByteOffset: 2, as: Float16.self)
    (target + 4).copyMemory(from: source + 2, byteCount: 16)
  }

  /// Q5_0 -> Q8_0: the same scale, codes -16 to 15.
  static func repackQ5(_ source: UnsafeRawPointer, into target: UnsafeMutableRawPointer) {
    target.storeBytes(of: source.loadUnaligned(as: UInt16.self), as: UInt16.self)
    let high = UInt32(littleEndian: source.loadUnaligned(fromByteOffset: 2, as: UInt32.self))
    for index in 0..<16 {
      let byte = source.load(fromByteOffset: 6 + index, as: UInt8.self)
      let low = Int8(byte & 15) | Int8(high >> UInt32(index) & 1) << 4
      let up = Int8(byte >> 4) | Int8(high >> UInt32(index + 16) & 1) << 4
      target.storeBytes(of: low - 16, toByteOffset: 2 + index, as: Int8.self)
      target.storeBytes(of: up - 16, toByteOffset: 18 + index, as: Int8.self)
    }
  }
}
