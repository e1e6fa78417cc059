import Kernels
import Testing

@Suite("What calibration runs is really run")
struct SpeedTests {
  static let sets = InstructionSet.allCases.filter(\.isAvailable)

  @Test("Every word of a buffer is read once, by any number of threads", arguments: sets, [1, 3])
  func reading(set: InstructionSet, threads: Int) throws {
    let compute = Compute(kernels: try #require(KernelTable(set)), threads: threads)
    let buffer = try #require(StreamBuffer(bytes: 3 << 20 | 1, compute: compute))
    #expect(buffer.bytes == 4 << 20)
    let sum = (0..<buffer.bytes / 8).reduce(into: UInt64(0)) { $0 &+= StreamBuffer.word($1) }
    #expect(compute.read(buffer) == sum)
  }

  @Test(
    "A product of a trial reads its weights and multiplies as often as it says", arguments: sets, WeightFormat.allCases)
  func products(set: InstructionSet, format: WeightFormat) throws {
    let compute = Compute(kernels: try #require(KernelTable(set)), threads: 2)
    let buffer = try #require(StreamBuffer(bytes: 1 << 20, compute: compute))
    let all = ProductTrial(format, tokens: 1, weightRows: nil, in: buffer, compute)
    #expect(all.bytes <= buffer.bytes && all.bytes > buffer.bytes - format.panelBytes(columns: 2048))
    all.pass()
    #expect(compute.weightBytesRead == all.bytes && compute.parametersApplied == all.multiplyAdds)
    let some = ProductTrial(format, tokens: 3, weightRows: 64, in: buffer, compute)
    #expect(some.multiplyAdds == 3 * 64 * 2048 && some.bytes == format.bytes(rows: 64, columns: 2048))
    some.run(tiles: 4, calls: 2)
    let short = ProductTrial(format, tokens: 1, weightRows: 64, columns: 256, in: buffer, compute)
    #expect(short.multiplyAdds == 64 * 256 && short.bytes == format.bytes(rows: 64, columns: 256))
    // Round the buffer, and once more.
    for _ in 0...buffer.bytes / short.bytes + 1 { short.moveOn() }
    short.pass()
  }

  @Test("Attention of a trial counts what it multiplies, and gives the mean of equal values", arguments: sets)
  func attention(set: InstructionSet) throws {
    let compute = Compute(kernels: try #require(KernelTable(set)), threads: 2)
    let absorbed = AttentionTrial(.absorbed, content: 128, rotary: 16, value: 128, compute)
    #expect(absorbed.multiplyAdds == 16 * 512 * (128 + 16 + 128))
    absorbed.run(calls: 2)
    // Latents of a run are f16: ones here. What comes out is not yet divided by the sum.
    #expect(absorbed.means.allSatisfy { abs($0 - 1) < 1e-5 })
    let expanded = AttentionTrial(.expanded, content: 32, rotary: 16, value: 32, compute)
    #expect(expanded.multiplyAdds == 32 * 512 * (32 + 16 + 32))
    expanded.run(calls: 1)
    #expect(expanded.means.allSatisfy { abs($0 - 0.01) < 1e-7 })
  }

  @Test("Steps of a trial along rows do what they say, with every thread", arguments: sets)
  func elementwise(set: InstructionSet) throws {
    let compute = Compute(kernels: try #require(KernelTable(set)), threads: 2)
    let trial = ElementwiseTrial(columns: 256, compute)
    #expect(trial.rows == 256)
    // Rows of halves, into zeros.
    trial.run(.add, calls: 3)
    #expect(trial.results == [1.5, 1.5])
    trial.run(.norm, calls: 1)
    #expect(trial.results.allSatisfy { abs($0 - 1) < 1e-4 })
    trial.run(.encode, calls: 1)
    trial.run(.activate, calls: 2)
    #expect(trial.results.allSatisfy { abs($0 - 0.155_615) < 1e-5 })
    let many = ElementwiseTrial(columns: 2048, Compute(kernels: try #require(KernelTable(set)), threads: 48))
    #expect(many.rows == 48 * 8)
  }

  @Test("Every byte product is added", arguments: sets, [0, 1, 2000])
  func int8(set: InstructionSet, rounds: Int) throws {
    let peak = try #require(KernelTable(set)).peak(.int8, rounds: rounds)
    // 3 times -2 each.
    #expect(peak.result == Double(-6 * peak.multiplyAdds))
    #expect(peak.multiplyAdds >= 16 * rounds)
  }

  @Test("Every f32 multiply-add is done", arguments: sets, [1, 2000])
  func f32(set: InstructionSet, rounds: Int) throws {
    let peak = try #require(KernelTable(set)).peak(.f32, rounds: rounds)
    let chains = peak.multiplyAdds / (16 * rounds)
    #expect(chains * 16 * rounds == peak.multiplyAdds && chains > 0)
    var sum: Float = 0
    for chain in 0..<chains {
      var value = Float(chain) / 2
      for _ in 0..<rounds { value = (0x1p-20 as Float).addingProduct(value, 0x1.fffffep-1) }
      sum += value
    }
    #expect(peak.result == Double(16 * sum))
  }

  @Test("Tiles and calls multiply")
  func counted() {
    let compute = Compute(kernels: .best, threads: 2)
    let one = compute.kernels.peak(.int8, rounds: Compute.peakRounds).multiplyAdds
    #expect(compute.multiplyAdd(.int8, tiles: 5, calls: 3) == 15 * one)
  }
}
