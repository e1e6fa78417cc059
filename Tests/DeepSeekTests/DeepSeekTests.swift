import Checkpoint
import DeepSeek
import Foundation
import Kernels
import TestSupport
import Testing

@Suite("The model equals the recorded reference")
struct GoldenTests {
  @Test("Logits, hidden states and routing of every prompt", arguments: Fixtures.checkpoints)
  func prompts(fixture: String) throws {
    let golden = try Golden(fixture: fixture)
    let local = try LocalModel(fixture)
    for prompt in 0..<3 {
      let ids = golden.integers("p\(prompt).input_ids")
      let recorder = Recorder()
      local.model.observer = recorder
      let logits = try local.logits(ids, pieces: [(ids.count, .expanded)])
      #expect(largestDifference(logits.joined(), golden.floats("p\(prompt).logits")) < 1e-3)
      for (layer, hidden) in recorder.hidden.enumerated() {
        #expect(largestDifference(hidden, golden.floats("p\(prompt).hidden.\(layer)")) < 5e-4)
      }
      #expect(largestDifference(recorder.final, golden.floats("p\(prompt).final_norm")) < 5e-4)
      for (layer, routing) in recorder.routing {
        let name = "p\(prompt).layer\(layer)"
        #expect(routing.experts.map(Int.init) == golden.integers(name + ".expert_ids"))
        #expect(largestDifference(routing.weights, golden.floats(name + ".expert_weights")) < 5e-5)
        #expect(largestDifference(routing.logits, golden.floats(name + ".router_logits")) < 2e-4)
      }
    }
  }

  @Test("Absorbed and expanded attention agree", arguments: Fixtures.checkpoints)
  func forms(fixture: String) throws {
    let ids = try Golden(fixture: fixture).integers("p2.input_ids")
    let local = try LocalModel(fixture)
    let expanded = try local.logits(ids, pieces: [(ids.count, .expanded)])
    let absorbed = try local.logits(ids, pieces: [(ids.count, .absorbed)])
    #expect(largestDifference(expanded.joined(), absorbed.joined()) < 1e-3)
    #expect(expanded != absorbed, "both forms gave the same bits: is one of them used twice?")
  }
}

@Suite("The same bits, whatever the cut")
struct SameBitsTests {
  @Test("Chunks of 1, 7, 64 and whole", arguments: ["tiny-f32", "tiny-v2lite"], AttentionForm.allCases)
  func chunks(fixture: String, form: AttentionForm) throws {
    let ids = try Golden(fixture: fixture).integers("p2.input_ids")
    let local = try LocalModel(fixture)
    let whole = try local.logits(ids, pieces: [(ids.count, form)])
    for chunk in [1, 7, 64] {
      let pieces = stride(from: 0, to: ids.count, by: chunk).map { (min(chunk, ids.count - $0), form) }
      #expect(try local.logits(ids, pieces: pieces) == whole, "chunks of \(chunk)")
    }
  }

  /// Every row reads what all rows before it have left in the cache, of every layer.
  @Test(
    "Generated positions read again, many at a time: as one by one", arguments: [WeightFormat.f32, .q8_0],
    [CacheFormat.f32, .f16])
  func again(format: WeightFormat, cache: CacheFormat) throws {
    let ids = try Golden(fixture: "tiny-f32").integers("p2.input_ids")
    func logits(absorbedRows: Int, threads: Int, chunk: Int) throws -> [[Float]] {
      let local = try LocalModel(
        "tiny-f32", format: format, cache: cache, threads: threads, absorbedRows: absorbedRows)
      let generated = stride(from: 5, to: ids.count, by: chunk).map {
        (count: min(chunk, ids.count - $0), form: AttentionForm.absorbed)
      }
      return try local.logits(ids, pieces: [(5, .expanded)] + generated)
    }
    let expected = try logits(absorbedRows: 1, threads: 1, chunk: 1)
    for (absorbedRows, threads, chunk) in [(1, 1, 7), (3, 2, 8), (3, 1, 100), (128, 3, 100)] {
      #expect(try logits(absorbedRows: absorbedRows, threads: threads, chunk: chunk) == expected)
    }
  }

  @Test("Threads and instruction sets", arguments: Fixtures.checkpoints, WeightFormat.allCases)
  func machines(fixture: String, format: WeightFormat) throws {
    let ids = try Golden(fixture: fixture).integers("p1.input_ids")
    let expected = try LocalModel(fixture, format: format, kernels: KernelTable(.scalar)!)
      .logits(ids, pieces: [(11, .expanded), (6, .absorbed)])
    for set in InstructionSet.allCases {
      guard let kernels = KernelTable(set) else { continue }
      for threads in [1, 2] {
        let found = try LocalModel(fixture, format: format, threads: threads, kernels: kernels)
          .logits(ids, pieces: [(11, .expanded), (6, .absorbed)])
        #expect(found == expected, "\(set), \(threads) threads")
      }
    }
  }

  @Test("bf16 weights of a bf16 checkpoint run as in f32")
  func bf16IsLossless() throws {
    let ids = try Golden(fixture: "tiny-bf16-sharded").integers("p1.input_ids")
    let pieces = [(ids.count, AttentionForm.expanded)]
    let f32 = try LocalModel("tiny-bf16-sharded", format: .f32).logits(ids, pieces: pieces)
    #expect(try LocalModel("tiny-bf16-sharded", format: .bf16).logits(ids, pieces: pieces) == f32)
  }

  @Test("FP8 codes run as in f32, heads that begin with a block of scales and others")
  func fp8IsLossless() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "fp8-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    var aligned = ModelConfiguration.Preset.tiny.configuration
    (aligned.nopeDimension, aligned.valueDimension) = (96, 32)
    aligned.quantizationBlock = .fp8
    try Synthesizer(aligned, seed: 3).write(to: folder)
    let ids = Array(3..<40)
    for folder in [folder, Fixtures.url("tiny-fp8")] {
      let pieces = [(30, AttentionForm.expanded), (7, .absorbed)]
      let f32 = try LocalModel("", folder: folder, format: .f32)
      let fp8 = try LocalModel("", folder: folder, format: .fp8)
      #expect(try fp8.logits(ids, pieces: pieces) == f32.logits(ids, pieces: pieces))
      #expect(fp8.expertBytes < f32.expertBytes)
    }
  }
}

@Suite("Rotary embedding")
struct RotaryTests {
  @Test("R1's softmax scale and correction range")
  func r1() throws {
    var configuration = try ModelConfiguration(folder: Fixtures.url("tiny-f32"))
    (configuration.nopeDimension, configuration.ropeDimension) = (128, 64)
    configuration.yarn = .init(factor: 40, originalPositions: 4096, mscale: 1, mscaleAllDim: 1)
    #expect(abs(Rotary.softmaxScale(configuration) - 0.13523) < 1e-5)
    #expect(Rotary.magnitude(configuration) == 1)
    let stretched = Rotary.frequencies(configuration)
    configuration.yarn = nil
    let plain = Rotary.frequencies(configuration)
    let ratios = zip(plain, stretched).map { $0 / $1 }
    #expect(ratios.firstIndex { abs($0 - 1) > 1e-9 } == 11, "low is 10")
    #expect(ratios.firstIndex { abs($0 - 40) < 1e-9 } == 23, "high is 23")
  }
}

/// Keeps copies of what passes.
private final class Recorder: ForwardObserver {
  var hidden: [[Float]] = []
  var routing: [(layer: Int, routing: Routing)] = []
  var final: [Float] = []

  func embedded(_ rows: ActivationRows) { hidden.append((0..<rows.count).flatMap { Array(rows[$0]) }) }
  func layerDone(_ layer: Int, hidden rows: ActivationRows) { embedded(rows) }
  func routed(_ layer: Int, _ taken: Routing) { routing.append((layer, taken)) }
  func normed(_ rows: ActivationRows) { final = (0..<rows.count).flatMap { Array(rows[$0]) } }
}
