import Checkpoint
import Foundation
import Kernels
import StrictJSON
import TestSupport
import Testing

/// The numbers of a block, weight by weight, from the definition of its format: slow, and written apart from the code
/// under test.
private struct BlockDefinition: Sendable {
  let type: ElementType
  let weights: Int
  let bytes: Int
  /// Where f16 scales lie.
  let scales: [Int]
  let value: @Sendable (_ block: [UInt8], _ index: Int) -> Float

  private static func half(_ block: [UInt8], _ at: Int) -> Float {
    Float(Float16(bitPattern: UInt16(block[at]) | UInt16(block[at + 1]) << 8))
  }

  /// Bit `index` of a string of bytes, lowest first.
  private static func bit(_ block: [UInt8], _ start: Int, _ index: Int) -> Int {
    Int(block[start + index / 8] >> UInt8(index % 8)) & 1
  }

  /// The lower half of the byte for the first half of `span` weights, the upper half for the second.
  private static func nibble(_ block: [UInt8], _ start: Int, _ index: Int, span: Int) -> Int {
    let byte = Int(block[start + index / span * span / 2 + index % (span / 2)])
    return index % span < span / 2 ? byte % 16 : byte / 16
  }

  /// Scale and minimum j of eight, of 6 bits: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md names the
  /// formats; the order of the bits is Q4_K's.
  private static func sixBits(_ block: [UInt8], _ j: Int) -> (Float, Float) {
    let packed = block[4..<16].map { Int($0) }
    if j < 4 { return (Float(packed[j] % 64), Float(packed[j + 4] % 64)) }
    return (
      Float(packed[j + 4] % 16 + packed[j - 4] / 64 * 16), Float(packed[j + 4] / 16 + packed[j] / 64 * 16)
    )
  }

  private static let numbers: [Float] = [
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
  ]

  static let all: [BlockDefinition] = [
    BlockDefinition(type: .q4_0, weights: 32, bytes: 18, scales: [0]) {
      half($0, 0) * Float(nibble($0, 2, $1, span: 32) - 8)
    },
    BlockDefinition(type: .q4_1, weights: 32, bytes: 20, scales: [0, 2]) {
      half($0, 0) * Float(nibble($0, 4, $1, span: 32)) + half($0, 2)
    },
    BlockDefinition(type: .q5_0, weights: 32, bytes: 22, scales: [0]) {
      half($0, 0) * Float(nibble($0, 6, $1, span: 32) + 16 * bit($0, 2, $1) - 16)
    },
    BlockDefinition(type: .q5_1, weights: 32, bytes: 24, scales: [0, 2]) {
      half($0, 0) * Float(nibble($0, 8, $1, span: 32) + 16 * bit($0, 4, $1)) + half($0, 2)
    },
    BlockDefinition(type: .q8_0, weights: 32, bytes: 34, scales: [0]) {
      half($0, 0) * Float(Int8(bitPattern: $0[2 + $1]))
    },
    BlockDefinition(type: .q2_K, weights: 256, bytes: 84, scales: [80, 82]) { block, index in
      let code = Int(block[16 + index / 128 * 32 + index % 32]) >> (index % 128 / 32 * 2) & 3
      let pair = block[index / 16]
      return half(block, 80) * Float(pair % 16) * Float(code) - half(block, 82) * Float(pair / 16)
    },
    BlockDefinition(type: .q3_K, weights: 256, bytes: 110, scales: [108]) { block, index in
      let low = Int(block[32 + index / 128 * 32 + index % 32]) >> (index % 128 / 32 * 2) & 3
      let high = Int(block[index % 32]) >> (index / 32) & 1
      let part = index / 16
      let lower = part < 8 ? block[96 + part] % 16 : block[88 + part] / 16
      let upper = block[104 + part % 4] >> UInt8(part / 4 * 2) & 3
      let scale = Int(lower) + 16 * Int(upper) - 32
      return half(block, 108) * Float(scale) * Float(low + 4 * high - 4)
    },
    BlockDefinition(type: .q4_K, weights: 256, bytes: 144, scales: [0, 2]) { block, index in
      let (scale, minimum) = sixBits(block, index / 32)
      let code = Float(nibble(block, 16, index, span: 64))
      return half(block, 0) * scale * code - half(block, 2) * minimum
    },
    BlockDefinition(type: .q5_K, weights: 256, bytes: 176, scales: [0, 2]) { block, index in
      let (scale, minimum) = sixBits(block, index / 32)
      let high = Int(block[16 + index % 32]) >> (index / 32) & 1
      let code = Float(nibble(block, 48, index, span: 64) + 16 * high)
      return half(block, 0) * scale * code - half(block, 2) * minimum
    },
    BlockDefinition(type: .q6_K, weights: 256, bytes: 210, scales: [208]) { block, index in
      let low = nibble(block, 0, index, span: 128)
      let high = Int(block[128 + index / 128 * 32 + index % 32]) >> (index % 128 / 32 * 2) & 3
      return half(block, 208) * Float(Int8(bitPattern: block[192 + index / 16])) * Float(low + 16 * high - 32)
    },
    BlockDefinition(type: .iq4_NL, weights: 32, bytes: 18, scales: [0]) {
      half($0, 0) * numbers[nibble($0, 2, $1, span: 32)]
    },
    BlockDefinition(type: .iq4_XS, weights: 256, bytes: 136, scales: [0]) { block, index in
      let part = index / 32
      let low = part % 2 == 0 ? block[4 + part / 2] % 16 : block[4 + part / 2] / 16
      let high = bit(block, 2, 2 * part) + 2 * bit(block, 2, 2 * part + 1)
      let scale = Int(low) + 16 * high - 32
      return half(block, 0) * Float(scale) * numbers[nibble(block, 8, index, span: 32)]
    },
  ]
}

private func bits(_ values: [Float]) -> [UInt32] { values.map { $0.isNaN ? 0x7FC0_0000 : $0.bitPattern } }

/// The code under test.
private func read(_ blocks: [UInt8], _ type: ElementType, count: Int) -> [Float] {
  [Float](unsafeUninitializedCapacity: count) { out, initialized in
    blocks.withUnsafeBytes { bytes in
      if let block = type.block {
        KernelTable.best.dequantize(
          block, blocks: bytes, into: UnsafeMutableBufferPointer(start: out.baseAddress, count: count))
      } else {
        #expect(StoredBlocks.read(bytes.baseAddress!, type, count: count, into: out.baseAddress!))
      }
    }
    initialized = count
  }
}

@Suite struct GGUFBlockTests {
  @Test("Every block type has its definition here")
  func complete() {
    #expect(Set(BlockDefinition.all.map(\.type)) == Set(ElementType.allCases.filter(\.isBlock)))
    for format in BlockDefinition.all { #expect(format.type.rowBytes(format.weights) == format.bytes) }
  }

  @Test("Numbers by the definition, bit for bit, whatever the bytes", arguments: BlockDefinition.all.map(\.type))
  func definition(_ type: ElementType) throws {
    let format = try #require(BlockDefinition.all.first { $0.type == type })
    var random = SeededGenerator(seed: 51)
    for round in 0..<fuzzCount(3000) / 10 {
      var block = (0..<format.bytes).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      // Finite scales, at times subnormal ones; every fourth time infinities and NaN may come.
      for scale in format.scales where round % 4 != 0 { block[scale + 1] &= round % 4 == 1 ? 0x83 : 0xBF }
      let expected = (0..<format.weights).map { format.value(block, $0) }
      #expect(bits(read(block, type, count: format.weights)) == bits(expected))
    }
  }

  @Test("Numbers as llama.cpp has them, recorded")
  func recorded() throws {
    let cases = try #require(try StrictJSON.parse(try Fixtures.data("gguf/blocks.json")).array)
    #expect(cases.count == BlockDefinition.all.count)
    for item in cases {
      let name = try #require(item["type"]?.string)
      let type = try #require(ElementType.allCases.first { $0.rawValue.lowercased() == name.lowercased() })
      let blocks = Array(try #require(Data(base64Encoded: item["blocks"]?.string ?? "")))
      let values = Array(try #require(Data(base64Encoded: item["values"]?.string ?? "")))
      let expected = stride(from: 0, to: values.count, by: 4).map { at in
        (0..<4).reduce(UInt32(0)) { $0 | UInt32(values[at + $1]) << UInt32(8 * $1) }
      }
      #expect(expected.count == 512 && Set(expected).count > 20)
      #expect(bits(read(blocks, type, count: 512)) == expected, "\(name)")
    }
  }

  @Test("Rewritten blocks hold the same numbers")
  func repacked() throws {
    var pairs = 0
    var random = SeededGenerator(seed: 52)
    for format in BlockDefinition.all {
      for block in BlockFormat.allCases {
        guard let repack = StoredBlocks.repacker(format.type, block) else { continue }
        pairs += 1
        #expect(block.blockSize == format.weights && format.type.isHeld(by: block))
        for _ in 0..<200 {
          var bytes = (0..<format.bytes).map { _ in UInt8(truncatingIfNeeded: random.next()) }
          for scale in format.scales { bytes[scale + 1] &= 0xBF }
          var target = [UInt8](repeating: 0xA5, count: block.blockBytes)
          bytes.withUnsafeBytes { source in
            target.withUnsafeMutableBytes { repack(source.baseAddress!, $0.baseAddress!) }
          }
          let stored = try #require(ElementType.allCases.first { $0.block == block })
          // -0 and 0 are the same number: Q4_0's offset makes 0 of both.
          #expect(read(target, stored, count: format.weights) == read(bytes, format.type, count: format.weights))
        }
      }
    }
    #expect(pairs == 4)
  }
}
