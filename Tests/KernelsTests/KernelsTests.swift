import Glibc
import Kernels
import Testing

// Buffers outlive the rows taken from them: Swift frees an object after its last use.

@Suite("Every instruction set gives the bits of the scalar kernels")
struct InstructionSetTests {
  static let others = InstructionSet.allCases.filter { $0 != .scalar && $0.isAvailable }
  let scalar = Compute(kernels: KernelTable(.scalar)!, threads: 1)

  @Test("Matrix products, odd sizes", arguments: others, WeightFormat.allCases)
  func products(set: InstructionSet, format: WeightFormat) {
    let sizes = [
      (1, 1, 1), (16, 16, 6), (17, 33, 7), (100, 61, 13), (257, 129, 1), (64, 8, 23), (33, 256, 5), (20, 768, 67),
    ]
    for (rows, columns, tokens) in sizes {
      let format = format.fitting(columns: columns)
      let weights = Samples.values(rows * columns, seed: UInt64(rows))
      let input = Samples.rows(tokens, columns, seed: 7)
      defer { withExtendedLifetime(input) {} }
      func product(_ compute: Compute) -> [UInt32] {
        let matrix = Samples.matrix(weights, rows: rows, columns: columns, format: format, compute: compute)
        let output = ActivationBuffer(capacity: tokens, columns: rows)
        defer { withExtendedLifetime(output) {} }
        compute.multiply(input.rows(tokens), matrix, into: output.rows(tokens))
        return Samples.bits(output.rows(tokens))
      }
      let expected = product(scalar)
      for threads in [1, 3] {
        #expect(product(Compute(kernels: KernelTable(set)!, threads: threads)) == expected)
      }
    }
  }

  @Test("Norm, SwiGLU, sigmoid, exp, attention", arguments: others, [1, 15, 16, 17, 40, 192])
  func vectors(set: InstructionSet, size: Int) {
    #expect(vectorBits(Compute(kernels: KernelTable(set)!, threads: 1), size) == vectorBits(scalar, size))
  }

  private func vectorBits(_ compute: Compute, _ size: Int) -> [UInt32] {
    let (a, b) = (Samples.rows(3, size, seed: 1, scale: 6), Samples.rows(3, size, seed: 2, scale: 3))
    var bits: [UInt32] = []
    let output = ActivationBuffer(capacity: 3, columns: size)
    defer { withExtendedLifetime((a, b, output)) {} }
    compute.rmsNorm(a.rows(3), weight: Samples.values(size, seed: 3), epsilon: 1e-6, into: output.rows(3))
    bits += Samples.bits(output.rows(3))
    compute.siluProduct(gate: a.rows(3), up: b.rows(3), into: output.rows(3))
    bits += Samples.bits(output.rows(3))
    compute.sigmoid(a.rows(1)[0])
    compute.exp(b.rows(1)[0], shift: 2)
    return bits + Samples.bits(a.rows(1)) + Samples.bits(b.rows(1)) + attentionBits(compute, size)
  }

  private func attentionBits(_ compute: Compute, _ size: Int) -> [UInt32] {
    let rows = 11
    let keys = Samples.rows(64, size, seed: 4)
    let queries = Samples.rows(rows, size, seed: 5)
    let query = queries.rows(rows).base
    let output = ActivationBuffer(capacity: rows, columns: size)
    let softmax = ActivationBuffer(capacity: 2, columns: rows)
    defer { withExtendedLifetime((keys, queries, output, softmax)) {} }
    let state = softmax.rows(2)
    for (index, (count, visible)) in [(64, KeyVisibility.all), (5, .all), (64, .causal(firstRow: 60))].enumerated() {
      let base = keys.rows(64).base
      compute.kernels.attend(
        AttentionQueries(count: rows, content: query, contentStride: size, rotary: query, rotaryStride: size),
        to: KeyValueBlock(
          count: count, keyContent: base, keyContentStride: size, keyRotary: base, keyRotaryStride: size, value: base,
          valueStride: size),
        visible: visible,
        shape: AttentionShape(contentSize: size, rotarySize: size / 2, valueSize: size, scale: 0.3),
        isFirst: index == 0,
        into: SoftmaxRows(
          maximum: state[0].baseAddress!, sum: state[1].baseAddress!, stride: 1, output: output.rows(rows).base,
          outputStride: size))
    }
    return Samples.bits(output.rows(rows)) + Samples.bits(state)
  }
}

@Suite("Kernels are right")
struct KernelValueTests {
  let compute = Compute(kernels: .best, threads: 2)

  @Test("A product row is one ascending chain of fused multiply-adds")
  func chain() {
    let (rows, columns) = (19, 37)
    let weights = Samples.values(rows * columns, seed: 1)
    let inputs = Samples.rows(2, columns, seed: 2)
    let input = inputs.rows(2)
    let matrix = PackedMatrix(rows: rows, columns: columns, format: .f32, compute: compute) { range, out in
      for (index, row) in range.enumerated() {
        for column in 0..<columns { out[index * columns + column] = weights[row * columns + column] }
      }
    }
    let output = ActivationBuffer(capacity: 2, columns: rows)
    defer { withExtendedLifetime((inputs, output)) {} }
    compute.multiply(input, matrix, into: output.rows(2))
    for token in 0..<2 {
      for row in 0..<rows {
        var sum: Float = 0
        for column in 0..<columns { sum.addProduct(weights[row * columns + column], input[token][column]) }
        #expect(output.rows(2)[token][row] == sum)
      }
    }
  }

  @Test("exp is within an ulp and a half, and exact at 0 and far below")
  func exponential() {
    let buffer = ActivationBuffer(capacity: 1, columns: 4001)
    defer { withExtendedLifetime(buffer) {} }
    let values = buffer.rows(1)
    for index in 0..<4001 { values[0][index] = -80 + Float(index) * 0.04 }
    let inputs = Array(values[0])
    compute.exp(values[0], shift: 0)
    for (input, output) in zip(inputs, values[0]) {
      let exact = ElementaryFunctions.exp(Double(input))
      #expect(abs(Double(output) - exact) <= 1.5 * Double(Float(exact).ulp))
    }
    var edge: [Float] = [0, -200, -.infinity]
    edge.withUnsafeMutableBufferPointer { _ = compute.exp($0, shift: 0) }
    #expect(edge == [1, 0, 0])
  }

  @Test("Elementary functions agree with known values")
  func elementary() {
    #expect(abs(ElementaryFunctions.exp(1) - 2.718281828459045) < 1e-15)
    #expect(abs(ElementaryFunctions.log(10_000) - 9.210340371976184) < 1e-14)
    #expect(abs(ElementaryFunctions.pow(10_000, -0.5) - 0.01) < 1e-16)
    let (cosine, sine) = ElementaryFunctions.cosineAndSine(163_839)
    #expect(abs(cosine - 0.2286846488279413) < 1e-11 && abs(sine + 0.9735005554135248) < 1e-11)
  }

  @Test("Every tile runs once, with any number of threads, awake or asleep", arguments: [1, 2, 5, 16])
  func pool(threads: Int) {
    let pool = ThreadPool(threads: threads)
    for tiles in [0, 1, 2, 7, 300] {
      for turn in 0..<200 {
        // Long enough for all threads to sleep.
        if turn % 40 == 39 { usleep(2000) }
        let counts = UnsafeMutableBufferPointer<Int>.allocate(capacity: tiles)
        counts.initialize(repeating: 0)
        nonisolated(unsafe) let shared = counts
        pool.run(tiles: tiles) { shared[$0] += 1 }
        #expect(counts.allSatisfy { $0 == 1 })
        counts.deallocate()
      }
    }
  }

  @Test("A copied matrix has the same panels elsewhere", arguments: WeightFormat.allCases)
  func copied(format: WeightFormat) {
    let compute = Compute(kernels: .best, threads: 3)
    let weights = (0..<37 * 256).map { Float($0 % 251) - 125 }
    let matrix = Samples.matrix(weights, rows: 37, columns: 256, format: format, compute: compute)
    let copy = matrix.copied(compute)
    #expect(copy.rows == 37 && copy.columns == 256 && copy.format == format)
    matrix.withPanels { panels in
      copy.withPanels { copied in
        #expect(panels.baseAddress != copied.baseAddress && panels.elementsEqual(copied))
      }
    }
  }

  @Test("FLOTILLA_ISA chooses, and refuses what is not there")
  func selection() throws {
    #expect(try KernelTable.selected(environment: ["FLOTILLA_ISA": "scalar"]).instructionSet == .scalar)
    #expect(throws: UnknownInstructionSet.self) { try KernelTable.selected(environment: ["FLOTILLA_ISA": "mmx"]) }
  }
}

/// Reproducible inputs.
enum Samples {
  /// fp8 takes bytes of the weights as its codes, none of them NaN.
  static func matrix(
    _ weights: [Float], rows: Int, columns: Int, format: WeightFormat, compute: Compute
  ) -> PackedMatrix {
    guard format == .fp8 else {
      return PackedMatrix(rows: rows, columns: columns, format: format, compute: compute) { range, out in
        for (index, row) in range.enumerated() {
          for column in 0..<columns { out[index * columns + column] = weights[row * columns + column] }
        }
      }
    }
    let codes = weights.map { UInt8(truncatingIfNeeded: $0.bitPattern >> 8) & 0xbf }
    return codes.withUnsafeBytes { codes in
      PackedMatrix(
        rows: rows, columns: columns, compute: compute,
        codes: { UnsafeRawBufferPointer(rebasing: codes[$0.lowerBound * columns..<$0.upperBound * columns]) },
        scale: { weights[($0 * 31 + $1) % weights.count] })
    }
  }

  static func values(_ count: Int, seed: UInt64, scale: Float = 1) -> [Float] {
    var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    return (0..<count).map { _ in
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return (Float(Int32(truncatingIfNeeded: state)) / Float(Int32.max)) * scale
    }
  }

  static func rows(_ count: Int, _ columns: Int, seed: UInt64, scale: Float = 1) -> ActivationBuffer {
    let buffer = ActivationBuffer(capacity: count, columns: columns)
    let numbers = values(count * columns, seed: seed, scale: scale)
    withExtendedLifetime(buffer) {
      for index in numbers.indices { buffer.rows(count).base[index] = numbers[index] }
    }
    return buffer
  }

  static func bits(_ rows: ActivationRows) -> [UInt32] {
    (0..<rows.count).flatMap { rows[$0].map(\.bitPattern) }
  }
}
