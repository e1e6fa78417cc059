import Foundation
import Kernels
import TestSupport
import Testing

@Suite("Block quantisers")
struct QuantizeTests {
  let best = KernelTable.best

  @Test(
    "Relative RMS error is the documented one",
    arguments: [
      (BlockFormat.q8_0, 0.004854, 0.006164), (.q4_1, 0.06919, 0.08177), (.q4_K, 0.06989, 0.08268),
      (.q6_K, 0.016496, 0.020304),
    ])
  func error(format: BlockFormat, normal: Double, laplace: Double) {
    for (row, documented) in [(Rows.normal(1 << 19), normal), (Rows.laplace(1 << 19), laplace)] {
      let measured = relativeError(row, best.roundTrip(format, row))
      #expect(abs(measured / documented - 1) < 0.0004, "\(format): measured \(measured), documented \(documented)")
    }
  }

  @Test("Every instruction set writes and reads the bytes of the scalar kernels", arguments: BlockFormat.allCases)
  func sameBytes(format: BlockFormat) {
    let scalar = KernelTable(.scalar)!
    for set in InstructionSet.allCases where set != .scalar && set.isAvailable {
      let other = KernelTable(set)!
      for (name, row) in Rows.difficult {
        let blocks = scalar.blocks(format, row)
        #expect(other.blocks(format, row) == blocks, "\(set) \(format) \(name)")
        let bits = scalar.values(format, blocks).map(\.bitPattern)
        #expect(other.values(format, blocks).map(\.bitPattern) == bits, "\(set) \(format) \(name)")
      }
    }
  }

  @Test("A row's blocks do not depend on the blocks beside them", arguments: BlockFormat.allCases)
  func independent(format: BlockFormat) {
    let row = Rows.normal(256 * 5)
    let whole = best.blocks(format, row)
    let parts = stride(from: 0, to: row.count, by: 256).flatMap { best.blocks(format, Array(row[$0..<$0 + 256])) }
    #expect(whole == parts)
  }

  @Test("What the format holds exactly comes back exactly", arguments: BlockFormat.allCases)
  func exact(format: BlockFormat) {
    for seed in 1...20 as ClosedRange<UInt64> {
      let row = Rows.representable(format, seed: seed)
      #expect(best.roundTrip(format, row) == row, "\(format) seed \(seed)")
    }
  }

  @Test("Whatever the row, values are finite and no farther away than zero would be", arguments: BlockFormat.allCases)
  func defined(format: BlockFormat) {
    for (name, row) in Rows.difficult {
      let values = best.roundTrip(format, row)
      #expect(values.allSatisfy { $0.isFinite }, "\(format) \(name)")
      let finite = row.map { $0.isFinite ? $0 : 0 }
      if finite == row, row.contains(where: { $0 != 0 }) {
        #expect(relativeError(row, values) <= 1, "\(format) \(name)")
      }
    }
    #expect(best.roundTrip(format, Array(repeating: 0, count: 512)).allSatisfy { $0 == 0 })
  }

  @Test("NaN counts as 0, infinity as a huge number", arguments: BlockFormat.allCases)
  func notNumbers(format: BlockFormat) {
    var row = Rows.normal(512)
    var plain = row
    for index in stride(from: 3, to: 256, by: 17) { (row[index], plain[index]) = (.nan, 0) }
    for (index, sign) in [(300, Float(1)), (301, -1)] { (row[index], plain[index]) = (sign * .infinity, sign * 1e38) }
    #expect(best.blocks(format, row) == best.blocks(format, plain))
    let values = best.roundTrip(format, row)
    #expect(values[300] > 9e5 && values[301] < -6e4)
  }

  @Test("Rows far from zero keep their detail where the format has an offset")
  func offset() {
    for center in [10, -10] as [Float] {
      let row = Rows.normal(512).map { center + $0 }
      // Of the detail, not of the row: rows of either sign alike.
      #expect(relativeError(row, best.roundTrip(.q4_1, row)) * 10 < 0.072)
      #expect(relativeError(row, best.roundTrip(.q4_K, row)) * 10 < 0.076)
    }
  }

  @Test("f16 scales are rounded to nearest, halves to even, subnormals too")
  func halves() {
    let ulp = Float(0x1p-10)
    let cases: [(Float, UInt16)] = [
      (1, 0x3c00), (1 + ulp / 2, 0x3c00), (1 + ulp * 1.5, 0x3c02), (1 + ulp * 0.501, 0x3c01),
      (-(2 - ulp / 2), 0xc000), (65504, 0x7bff), (65519, 0x7bff), (1e9, 0x7bff), (-1e9, 0xfbff),
      (0x1p-14, 0x0400), (0x1.ffbp-15, 0x03ff), (0x1.ffcp-15, 0x0400), (0x1p-24, 0x0001), (0x1.8p-24, 0x0002),
      (0x1p-25, 0x0000), (0x1.01p-25, 0x0001), (-0x1.4p-23, 0x8002), (-0x1.cp-23, 0x8004),
    ]
    for (value, bits) in cases {
      // A constant block of Q4_1 is its offset: bytes 2 and 3.
      let block = best.blocks(.q4_1, Array(repeating: value, count: 32))
      #expect(UInt16(block[2]) | UInt16(block[3]) << 8 == bits, "\(value)")
    }
  }

  @Test("Quantising is fast: 40 million weights a second and core")
  func quantizingIsFast() {
    let row = Rows.normal(1 << 18)
    for format in BlockFormat.allCases {
      let start = processorSeconds()
      for _ in 0..<8 { _ = best.blocks(format, row) }
      let rate = Double(8 * row.count) / 1e6 / (processorSeconds() - start)
      print("quantize \(format) (\(best.instructionSet)): \(Int(rate)) million weights/s")
      #expect(best.instructionSet == .scalar || rate > 40)
    }
  }

  /// Of this thread: other work on the machine does not count.
  private func processorSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  private func relativeError(_ row: [Float], _ values: [Float]) -> Double {
    var (error, energy) = (0.0, 0.0)
    for (a, b) in zip(row, values) {
      error += (Double(a) - Double(b)) * (Double(a) - Double(b))
      energy += Double(a) * Double(a)
    }
    return (error / energy).squareRoot()
  }
}

@Suite("Block layouts")
struct BlockLayoutTests {
  /// Values of one block whose byte i is `i * i * 7 + i * 37 + 11`, but for its f16 numbers, as the Python
  /// package gguf 0.19 gives them: some by index, and the sum of value times (index + 1).
  @Test(
    "Known blocks have known values",
    arguments: [
      KnownBlock(
        format: .q8_0, halves: [0: 0x3800], values: [0: 56.5, 1: -35.5, 15: 51.5, 16: -63.5, 31: -52.5],
        weightedSum: -3264),
      KnownBlock(
        format: .q4_1, halves: [0: 0x3400, 2: 0xbe00], values: [0: 2.25, 1: -0.75, 15: 0.75, 16: -1.5, 31: 1],
        weightedSum: 261.5),
      KnownBlock(
        format: .q4_K, halves: [0: 0x3400, 2: 0x3800],
        values: [
          0: 15.75, 31: 23.25, 32: 56.25, 63: 30.75, 64: 73.25, 100: 40.25, 127: -15.25, 128: -10.25, 150: -20.75,
          191: 81.25, 192: 164.75, 220: 103.75, 240: 31.5, 255: 67.75,
        ], weightedSum: 1_626_836),
      KnownBlock(
        format: .q6_K, halves: [208: 0xb000],
        values: [
          0: 178.875, 15: -19.875, 16: -401.625, 31: 44.625, 32: -67.375, 63: 25.375, 64: -196, 100: 113.75,
          127: -68.25, 128: 259.875, 150: -67.375, 191: -177.625, 192: -59.5, 220: 79.5, 240: -160.875, 255: -321.75,
        ], weightedSum: 322_388),
    ])
  func known(block: KnownBlock) {
    var bytes = (0..<block.format.blockBytes).map { UInt8(truncatingIfNeeded: $0 * $0 * 7 + $0 * 37 + 11) }
    for (at, bits) in block.halves { (bytes[at], bytes[at + 1]) = (UInt8(bits & 255), UInt8(bits >> 8)) }
    let values = KernelTable.best.values(block.format, bytes)
    for (index, value) in block.values { #expect(values[index] == value, "\(block.format) weight \(index)") }
    #expect(values.indices.reduce(0) { $0 + Double(values[$1]) * Double($1 + 1) } == block.weightedSum)
  }

  @Test("One code at a time lands on its weight", arguments: BlockFormat.allCases)
  func position(format: BlockFormat) {
    for index in 0..<format.blockSize {
      var row = [Float](repeating: 0, count: format.blockSize)
      row[index] = 1
      let values = KernelTable.best.roundTrip(format, row)
      #expect(abs(values[index] - 1) < 0.001)
      #expect(values.indices.allSatisfy { $0 == index || values[$0] == 0 }, "\(format) weight \(index)")
    }
  }

  @Test("Sizes of blocks and rows")
  func sizes() {
    #expect(BlockFormat.allCases.map { $0.bytes(columns: 512) } == [544, 320, 288, 420])
  }
}

struct KnownBlock: Sendable {
  let format: BlockFormat
  let halves: [Int: UInt16]
  let values: [Int: Float]
  let weightedSum: Double
}

extension KernelTable {
  func blocks(_ format: BlockFormat, _ row: [Float]) -> [UInt8] {
    // Filled, so that bytes which nobody writes are seen.
    var blocks = [UInt8](repeating: 0xa5, count: format.bytes(columns: row.count))
    row.withUnsafeBufferPointer { row in
      blocks.withUnsafeMutableBytes { quantize(format, row: row, into: $0) }
    }
    return blocks
  }

  func values(_ format: BlockFormat, _ blocks: [UInt8]) -> [Float] {
    var row = [Float](repeating: .nan, count: blocks.count / format.blockBytes * format.blockSize)
    row.withUnsafeMutableBufferPointer { row in
      blocks.withUnsafeBytes { dequantize(format, blocks: $0, into: row) }
    }
    return row
  }

  func roundTrip(_ format: BlockFormat, _ row: [Float]) -> [Float] { values(format, blocks(format, row)) }
}

/// Rows to quantise.
private enum Rows {
  static func normal(_ count: Int, seed: UInt64 = 1) -> [Float] {
    var generator = SeededGenerator(seed: seed)
    return (0..<count).map { _ in
      let radius = (-2 * ElementaryFunctions.log(uniform(&generator))).squareRoot()
      return Float(radius * ElementaryFunctions.cosineAndSine(2 * .pi * uniform(&generator)).cosine)
    }
  }

  static func laplace(_ count: Int) -> [Float] {
    var generator = SeededGenerator(seed: 2)
    return (0..<count).map { _ in
      let magnitude = -ElementaryFunctions.log(uniform(&generator))
      return Float(generator.next() & 1 == 0 ? magnitude : -magnitude)
    }
  }

  /// In (0, 1].
  private static func uniform(_ generator: inout SeededGenerator) -> Double {
    Double((generator.next() >> 11) + 1) * 0x1p-53
  }

  /// Codes and scales drawn at random, the largest of each in use, times powers of two.
  static func representable(_ format: BlockFormat, seed: UInt64) -> [Float] {
    var generator = SeededGenerator(seed: seed)
    var row = [Float](repeating: 0, count: 512)
    let size = format == .q6_K ? 16 : 32
    let unit: Float = seed.isMultiple(of: 2) ? 0x1p-3 : 0x1p-9
    for block in 0..<512 / size {
      let (scale, minimum): (Int, Int) =
        switch format {
        case .q8_0: (1, 0)
        case .q4_1: (1 + generator.below(100), generator.below(200) - 100)
        case .q4_K: block % 8 == 0 ? (63, 63) : (32 + generator.below(32), generator.below(64))
        case .q6_K: ((block % 16 == 0 ? 127 : 64 + generator.below(64)) * (generator.below(2) * 2 - 1), 0)
        }
      let codes = format == .q8_0 ? -127...127 : format == .q6_K ? -32...31 : 0...15
      for index in 0..<size {
        let random = codes.lowerBound + generator.below(codes.count)
        let code = index == 5 ? codes.lowerBound : index == 7 ? codes.upperBound : random
        let offset = format == .q4_1 ? minimum : -minimum
        row[block * size + index] = unit * Float(scale * code + offset)
      }
    }
    return row
  }

  static let difficult: [(String, [Float])] = {
    var generator = SeededGenerator(seed: 3)
    let normal = Rows.normal(768, seed: 4)
    var rows: [(String, [Float])] = [
      ("normal", normal), ("zeros", normal.map { _ in 0 }), ("constant", normal.map { _ in 1.7 }),
      ("negative constant", normal.map { _ in -1.7 }), ("positive", normal.map(abs)),
      ("negative", normal.map { -abs($0) }),
      ("far above", normal.map { $0 + 10 }), ("far below", normal.map { $0 - 10 }),
      ("integers", normal.map { ($0 * 4).rounded() }), ("cubes", normal.map { $0 * $0 * $0 }),
      ("one", normal.indices.map { $0 == 300 ? 1 : 0 }),
      ("every second sub-block", normal.indices.map { $0 / 32 % 2 == 0 ? normal[$0] : 0 }),
      ("NaN", normal.indices.map { $0 % 7 == 0 ? .nan : normal[$0] }), ("all NaN", normal.map { _ in .nan }),
      ("infinite", normal.indices.map { $0 % 9 == 0 ? .infinity : $0 % 11 == 0 ? -.infinity : normal[$0] }),
      ("any bits", normal.map { _ in Float(bitPattern: UInt32(truncatingIfNeeded: generator.next())) }),
    ]
    for exponent in stride(from: -148, through: 126, by: 9) {
      rows.append(("2^\(exponent)", normal.map { $0 * Float(sign: .plus, exponent: exponent, significand: 1) }))
    }
    return rows
  }()
}
