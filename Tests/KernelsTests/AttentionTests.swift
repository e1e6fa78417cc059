import Kernels
import TestSupport
import Testing

@Suite("Attention kernels")
struct AttentionTests {
  static let others = InstructionSet.allCases.filter { $0 != .scalar && $0.isAvailable }

  @Test("Any rows, keys and sizes give the scalar kernels' bits", arguments: others)
  func tiles(set: InstructionSet) throws {
    let (scalar, best) = (try #require(KernelTable(.scalar)), try #require(KernelTable(set)))
    var random = SeededGenerator(seed: 11)
    let sizes = [1, 8, 16, 24, 32, 33, 48, 64, 80, 128]
    for number in 0..<300 {
      let problem = Problem(
        rows: 1 + random.below(20), keys: 1 + random.below(150), content: sizes[random.below(10)],
        rotary: sizes[random.below(6)], value: sizes[random.below(10)], isCausal: number % 2 == 0, seed: UInt64(number))
      #expect(problem.run(best) == problem.run(scalar), "\(problem)")
    }
  }

  @Test("A row's bits do not depend on its company", arguments: [16, 24])
  func company(size: Int) {
    let problem = Problem(rows: 13, keys: 100, content: size, rotary: 16, value: size, isCausal: true, seed: 3)
    let together = problem.run(.best)
    for row in 0..<13 { #expect(problem.run(.best, rows: row..<row + 1) == [together[row]]) }
    #expect(problem.run(.best, rows: 5..<12) == Array(together[5..<12]))
  }

  @Test("Blocks and merged spans agree with plain attention in double precision")
  func reference() {
    let problem = Problem(rows: 6, keys: 640, content: 48, rotary: 16, value: 40, isCausal: false, seed: 9)
    let expected = problem.reference()
    for spans in [[0..<640], [0..<64, 64..<512, 512..<640]] {
      for (row, values) in problem.run(.best, spans: spans).enumerated() {
        for (value, exact) in zip(values, expected[row]) { #expect(abs(Double(value) - exact) < 2e-6) }
      }
    }
  }

  @Test("Latents that the kernel widens give the bits of widened ones", arguments: InstructionSet.allCases)
  func latents(set: InstructionSet) {
    guard let kernels = KernelTable(set) else { return }
    for (rows, keys, rank, visible) in [
      (1, 64, 64, KeyVisibility.all), (7, 5, 48, .all), (8, 64, 64, .all), (16, 63, 512, .all), (19, 61, 32, .all),
      (16, 64, 40, .all), (16, 64, 64, .causal(firstRow: 50)),
    ] {
      let problem = LatentProblem(rows: rows, keys: keys, rank: rank, visible: visible)
      #expect(problem.run(kernels, fromHalves: true) == problem.run(kernels, fromHalves: false), "\(problem)")
    }
  }

  @Test("f16: exact one way, nearest even the other, by every instruction set", arguments: InstructionSet.allCases)
  func halves(set: InstructionSet) {
    guard let kernels = KernelTable(set) else { return }
    let halves = (0...UInt16.max).map { $0 }
    var wide = [Float](repeating: 0, count: halves.count)
    kernels.widen(halves, into: &wide, count: halves.count)
    for (half, value) in zip(halves, wide) {
      let exact = Float(Float16(bitPattern: half))
      #expect(exact.isNaN ? value.isNaN : value.bitPattern == exact.bitPattern)
    }
    // Every f16 and its neighbours, the points halfway between two of them, and what lies beyond.
    let between = wide.filter(\.isFinite).flatMap { [$0, $0.nextUp, $0.nextDown, $0 * (1 + 0x1p-11), $0 + 0x1p-25] }
    let inputs = between + [.infinity, -.infinity, 65519.99, 65520, 1e30, 0x1p-26, -0x1p-149]
    var narrow = [UInt16](repeating: 0, count: inputs.count)
    kernels.narrow(inputs, into: &narrow, count: inputs.count)
    #expect(zip(inputs, narrow).allSatisfy { Float16($0).bitPattern == $1 })
    var undefined = [UInt16](repeating: 0, count: 16)
    kernels.narrow([Float](repeating: .nan, count: 16), into: &undefined, count: 16)
    #expect(undefined.allSatisfy { Float16(bitPattern: $0).isNaN })
  }
}

/// Some rows and keys, with everything that they are attended by.
private struct Problem {
  let rows, keys, content, rotary, value: Int
  let isCausal: Bool
  let queries, keyRows, values: [Float]
  let scale: Float = 0.3

  init(rows: Int, keys: Int, content: Int, rotary: Int, value: Int, isCausal: Bool, seed: UInt64) {
    (self.rows, self.keys, self.isCausal) = (rows, max(keys, isCausal ? rows : 1), isCausal)
    (self.content, self.rotary, self.value) = (content, rotary, value)
    queries = Samples.values(rows * (content + rotary), seed: seed + 1)
    keyRows = Samples.values(self.keys * (content + rotary), seed: seed + 2)
    values = Samples.values(self.keys * value, seed: seed + 3)
  }

  /// The last row sees all keys; of a prompt, each row before it sees one less.
  private func visible(_ row: Int) -> Int { isCausal ? keys - (rows - 1 - row) : keys }

  /// Outputs of some rows, block by block.
  func run(_ kernels: KernelTable, rows: Range<Int>? = nil) -> [[Float]] {
    let rows = rows ?? 0..<self.rows
    var state = State(rows: rows.count, value: value)
    attend(kernels, rows: rows, positions: 0..<keys, state: &state)
    return state.result
  }

  /// Outputs of all rows, span by span, merged.
  func run(_ kernels: KernelTable, spans: [Range<Int>]) -> [[Float]] {
    var whole = State(rows: rows, value: value)
    for (index, span) in spans.enumerated() {
      var part = State(rows: rows, value: value)
      attend(kernels, rows: 0..<rows, positions: span, state: &part)
      if index == 0 { whole = part } else { whole.merge(part, kernels) }
    }
    return whole.result
  }

  private func attend(_ kernels: KernelTable, rows: Range<Int>, positions: Range<Int>, state: inout State) {
    for start in stride(from: positions.lowerBound, to: positions.upperBound, by: AttentionShape.block) {
      let count = min(AttentionShape.block, positions.upperBound - start)
      guard let first = rows.first(where: { visible($0) > start }) else { return }
      attend(
        kernels, rows: first..<rows.upperBound, at: first - rows.lowerBound, block: start..<start + count,
        isFirst: start == positions.lowerBound, state: &state)
    }
  }

  private func attend(
    _ kernels: KernelTable, rows: Range<Int>, at offset: Int, block: Range<Int>, isFirst: Bool, state: inout State
  ) {
    let size = content + rotary
    queries.withUnsafeBufferPointer { queries in
      keyRows.withUnsafeBufferPointer { keyRows in
        values.withUnsafeBufferPointer { values in
          let query = queries.baseAddress! + rows.lowerBound * size
          let key = keyRows.baseAddress! + block.lowerBound * size
          state.withRows(from: offset) { softmax in
            kernels.attend(
              AttentionQueries(
                count: rows.count, content: query, contentStride: size, rotary: query + content, rotaryStride: size),
              to: KeyValueBlock(
                count: block.count, keyContent: key, keyContentStride: size, keyRotary: key + content,
                keyRotaryStride: size, value: values.baseAddress! + block.lowerBound * value, valueStride: value),
              visible: isCausal
                ? .causal(firstRow: min(block.count, visible(rows.lowerBound) - block.lowerBound)) : .all,
              shape: AttentionShape(contentSize: content, rotarySize: rotary, valueSize: value, scale: scale),
              isFirst: isFirst, into: softmax)
          }
        }
      }
    }
  }

  /// Softmax of all scores at once.
  func reference() -> [[Double]] {
    let size = content + rotary
    return (0..<rows).map { row in
      let scores = (0..<visible(row)).map { key in
        Double(scale)
          * (0..<size).reduce(0) { $0 + Double(queries[row * size + $1]) * Double(keyRows[key * size + $1]) }
      }
      let weights = scores.map { ElementaryFunctions.exp($0 - scores.max()!) }
      let sum = weights.reduce(0, +)
      return (0..<value).map { column in
        weights.indices.reduce(0) { $0 + weights[$1] * Double(values[$1 * value + column]) } / sum
      }
    }
  }
}

/// One block of latents, which are keys and values at once, in f16.
private struct LatentProblem {
  let rows, keys, rank: Int
  let visible: KeyVisibility
  private static let rotary = 16

  func run(_ kernels: KernelTable, fromHalves: Bool) -> [[Float]] {
    let latents = Samples.values(keys * rank, seed: 21).map { Float16($0).bitPattern }
    let queries = Samples.values(rows * (rank + Self.rotary), seed: 22)
    let rotary = Samples.values(keys * Self.rotary, seed: 23)
    var widened = [Float](repeating: .nan, count: keys * rank)
    if !fromHalves { kernels.widen(latents, into: &widened, count: widened.count) }
    var state = State(rows: rows, value: rank)
    widened.withUnsafeMutableBufferPointer { widened in
      latents.withUnsafeBufferPointer { latents in
        queries.withUnsafeBufferPointer { queries in
          rotary.withUnsafeBufferPointer { rotary in
            let (base, query) = (widened.baseAddress!, queries.baseAddress!)
            let halves = HalfKeys(base: latents.baseAddress!, stride: rank, widened: base)
            let block = KeyValueBlock(
              count: keys, keyContent: base, keyContentStride: rank, keyRotary: rotary.baseAddress!,
              keyRotaryStride: Self.rotary, value: base, valueStride: rank, halves: fromHalves ? halves : nil)
            let size = rank + Self.rotary
            state.withRows(from: 0) { softmax in
              kernels.attend(
                AttentionQueries(
                  count: rows, content: query, contentStride: size, rotary: query + rank, rotaryStride: size),
                to: block, visible: visible,
                shape: AttentionShape(contentSize: rank, rotarySize: Self.rotary, valueSize: rank, scale: 0.3),
                isFirst: true, into: softmax)
            }
          }
        }
      }
    }
    return state.result + [Array(widened)]
  }
}

/// The running softmax of some rows. What nobody has written yet is not a number.
private struct State {
  let value: Int
  var maxima, sums, outputs: [Float]

  init(rows: Int, value: Int) {
    self.value = value
    maxima = Array(repeating: .nan, count: rows)
    sums = maxima
    outputs = Array(repeating: .nan, count: rows * value)
  }

  var result: [[Float]] {
    sums.indices.map { row in outputs[row * value..<(row + 1) * value].map { $0 / sums[row] } }
  }

  mutating func withRows(from row: Int, _ body: (SoftmaxRows) -> Void) {
    let value = value
    maxima.withUnsafeMutableBufferPointer { maxima in
      sums.withUnsafeMutableBufferPointer { sums in
        outputs.withUnsafeMutableBufferPointer { outputs in
          body(
            SoftmaxRows(
              maximum: maxima.baseAddress! + row, sum: sums.baseAddress! + row, stride: 1,
              output: outputs.baseAddress! + row * value, outputStride: value))
        }
      }
    }
  }

  mutating func merge(_ later: State, _ kernels: KernelTable) {
    for row in maxima.indices {
      let addend = Array(later.outputs[row * value..<(row + 1) * value])
      withRows(from: row) { softmax in
        kernels.mergeSoftmax(
          maximum: softmax.maximum, sum: softmax.sum, output: softmax.output, laterMaximum: later.maxima[row],
          laterSum: later.sums[row], laterOutput: addend, count: addend.count)
      }
    }
  }
}
