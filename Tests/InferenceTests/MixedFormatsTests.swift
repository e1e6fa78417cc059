import Checkpoint
import DeepSeek
import ExpertParallel
import Foundation
import Inference
import Kernels
import TestSupport
import Testing

/// A copy of tiny-fp8 for the time of `body`, in which some matrices are F32: the same numbers.
private func withMixed<Result>(_ isPlain: (String) -> Bool, _ body: (URL) throws -> Result) throws -> Result {
  let original = Fixtures.url("tiny-fp8")
  let folder = FileManager.default.temporaryDirectory.appending(path: "flotilla-\(UUID().uuidString)")
  defer { try? FileManager.default.removeItem(at: folder) }
  try FileManager.default.copyItem(at: original, to: folder)
  let source = try Checkpoint.open(original)
  let plain = Set(source.tensors.values.filter { $0.type == .f8e4m3 && isPlain($0.name) }.map(\.name))
  let scales = Set(plain.map(ParameterNames.scale(of:)))
  let tensors = source.tensors.values.filter { !scales.contains($0.name) }.sorted { $0.name < $1.name }
  let writer = try SafetensorsWriter(
    folder.appending(path: "model.safetensors"),
    tensors: tensors.map { .init($0.name, plain.contains($0.name) ? .f32 : $0.type, $0.shape) })
  for tensor in tensors {
    guard plain.contains(tensor.name) else {
      try source.withStoredBytes(tensor.name, 0..<tensor.byteRange.count) { try writer.write($0, to: tensor.name) }
      continue
    }
    let matrix = try source.matrix(tensor.name)
    var values = [Float](repeating: 0, count: matrix.rows * matrix.columns)
    values.withUnsafeMutableBufferPointer {
      matrix.readRows(0..<matrix.rows, into: $0.baseAddress!, stride: matrix.columns)
    }
    try values.withUnsafeBytes { try writer.write($0, to: tensor.name) }
  }
  try writer.finish()
  return try body(folder)
}

/// All matrices of routed experts but the gate projections of the first: 94 of 120.
private func isMixed(_ name: String) -> Bool {
  name.contains(".experts.") && !name.contains("experts.0.gate_proj")
}

@Suite("FP8 checkpoints that hold other types too")
struct MixedFormatsTests {
  @Test("The name of the format says what runs, most matrices first")
  func names() throws {
    func names(_ quants: [String], _ model: URL) throws -> [String] {
      let checkpoint = try Checkpoint.open(model)
      return try quants.map { try WeightFormats(quant: $0, for: checkpoint).description }
    }
    // A head in BF16 is official.
    let official = try names(["auto", "fp8", "q8_0,head=fp8"], Fixtures.url("tiny-fp8"))
    #expect(official == ["fp8", "fp8", "q8_0,head=bf16 as stored"])
    let quants = ["auto", "fp8", "fp8,head=q8_0", "q8_0,attention=fp8", "bf16"]
    let mixed = try withMixed(isMixed) { try names(quants, $0) }
    let both = "f32+fp8 as stored"
    #expect(mixed == [both, both, both + ",head=q8_0", "q8_0,attention=fp8", "bf16"])
    #expect(try withMixed({ $0.contains("shared") }) { try names(["auto"], $0) } == ["fp8+f32 as stored"])
    let spelling = try withMixed(isMixed) { try WeightFormats(quant: "auto", for: Checkpoint.open($0)).spelling }
    #expect(spelling == "fp8", "what a prepared model is told")
  }

  @Test("Memory is planned for what is loaded, expert by expert")
  func memory() throws {
    /// What a rank loads of experts, and what is planned for it, buffers included.
    func bytes(_ model: URL, rank: Int) throws -> (loaded: Int, planned: Int) {
      let checkpoint = try Checkpoint.open(model)
      let formats = try WeightFormats(quant: "auto", for: checkpoint)
      let placement = try Placement.contiguous(experts: checkpoint.configuration.routedExperts, ranks: 16)
      let plan = MemoryPlan(
        configuration: checkpoint.configuration, formats: formats, cacheFormat: .f32, placement: placement,
        prefillChunk: 16, sequences: 1, threads: 1)
      let compute = Compute(kernels: .best, threads: 1)
      let loader = WeightLoader(checkpoint: checkpoint, formats: formats, compute: compute)
      let experts = try loader.experts(placement.experts(of: rank), maxTokens: 1)
      return (experts.bytes, plan.bytesWithoutCache(rank: rank))
    }
    try withMixed(isMixed) { model in
      for rank in [0, 15] {
        let (mixed, plain) = (try bytes(model, rank: rank), try bytes(Fixtures.url("tiny-fp8"), rank: rank))
        #expect(mixed.loaded > plain.loaded)
        #expect(mixed.planned - plain.planned == mixed.loaded - plain.loaded)
      }
      let (first, last) = (try bytes(model, rank: 0), try bytes(model, rank: 15))
      #expect(first.loaded < last.loaded)
    }
  }

  @Test("The size of a model: each weight once as it runs, the embedding as it is stored")
  func size() throws {
    func session(_ model: URL) throws -> RunSession {
      var options = RunOptions(model: model, version: "test")
      options.threads = 1
      options.contextSize = 8
      return try RunSession(options, fleet: Fleet(timeout: .seconds(10), hub: options.coordinator))
    }
    let plain = try session(Fixtures.url("tiny-f32"))
    let model = plain.configuration
    var expected = 0
    ParameterInventory(model).forEach { parameter in
      let columns = parameter.shape.last!
      func rows(_ count: Int) -> Int { (count + 15) / 16 * 16 }
      if parameter.shape.count == 1 || parameter.part == .embedding {
        expected += 4 * parameter.count
      } else if parameter.name == parameter.layer.map(ParameterNames.latentUp) {
        expected += 4 * columns * model.heads * (rows(model.nopeDimension) + rows(model.valueDimension))
      } else {
        expected += 4 * columns * rows(parameter.shape[0])
      }
    }
    #expect(plain.benchSetup.weightBytes == expected)
    try withMixed(isMixed) { model in
      let setup = try session(model).benchSetup
      let experts = 32 * 3
      let codes = try session(Fixtures.url("tiny-fp8")).benchSetup.weightBytes
      let (up, down) = (WeightFormat.fp8.bytes(rows: 96, columns: 192), WeightFormat.fp8.bytes(rows: 192, columns: 96))
      let converted = (experts - 2) * 96 * 192 * WeightFormat.f32.bytes(rows: 16, columns: 1) / 16
      #expect(setup.format == "f32+fp8 as stored")
      #expect(setup.weightBytes == codes - (32 * (2 * up + down) - 2 * up) + converted)
    }
  }
}
