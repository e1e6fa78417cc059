import Checkpoint
import Foundation
import TestSupport
import Testing

func values(_ source: TensorSource, _ rows: Range<Int>? = nil) -> [Float] {
  let rows = rows ?? 0..<source.rows
  return [Float](unsafeUninitializedCapacity: rows.count * source.columns) { out, count in
    source.readRows(rows, into: out.baseAddress!, stride: source.columns)
    count = rows.count * source.columns
  }
}

/// A fixture's file in the given mix, without a tokenizer.
private func exported(
  _ fixture: String, _ mix: GGUFMix, to folder: TemporaryFolder
) throws -> (original: Checkpoint, exporter: GGUFExporter, url: URL) {
  let original = try Checkpoint.open(Fixtures.url(fixture))
  let exporter = try GGUFExporter(original, mix, tokenizer: [])
  let url = folder["\(fixture)-\(mix.rawValue).gguf"]
  try exporter.write(to: url)
  return (original, exporter, url)
}

@Suite struct GGUFModelTests {
  @Test("Configuration, defaults and every weight come back", arguments: Fixtures.checkpoints)
  func sameCheckpoint(_ name: String) throws {
    let folder = try TemporaryFolder()
    let (original, exporter, url) = try exported(name, .f32, to: folder)
    #expect(try Data(contentsOf: url).count == exporter.fileBytes)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).count == 1)
    let read = try Checkpoint.open(url)
    var expected = original.configuration
    expected.mtpLayers = 0
    expected.quantizationBlock = nil
    #expect(read.configuration == expected)
    #expect(read.generationDefaults.temperature == original.generationDefaults.temperature)
    #expect(read.generationDefaults.topP == original.generationDefaults.topP)
    #expect(read.surplus == [] && read.skipped == [])
    try ParameterInventory(read.configuration).forEach { parameter in
      #expect(read.info(parameter.name)?.shape == parameter.shape)
      if parameter.shape.count == 1 {
        #expect(try read.vector(parameter.name) == original.vector(parameter.name))
      } else {
        let (left, right) = (try read.matrix(parameter.name), try original.matrix(parameter.name))
        #expect(values(left) == values(right), "\(parameter.name)")
      }
    }
    #expect(read.tensorBytes == ParameterInventory(read.configuration).total * 4)
  }

  @Test func rowsOfHeadsFromAnywhere() throws {
    let folder = try TemporaryFolder()
    let (original, _, url) = try exported("tiny-bf16-sharded", .bf16, to: folder)
    let read = try Checkpoint.open(url)
    let name = ParameterNames.latentUp(2)
    let (whole, split) = (try original.matrix(name), try read.matrix(name))
    #expect(whole.isContiguous && !split.isContiguous)
    for rows in [0..<1, 15..<17, 39..<41, 10..<130, 159..<160] {
      #expect(values(split, rows) == values(whole, rows), "\(rows)")
    }
    split.release()
    #expect(values(split) == values(whole))
    let parts = try #require(read.splitLatentUp(2))
    #expect(parts.keys.rows == 4 * 32 && parts.keys.columns == 16)
    #expect(parts.values.rows == 4 * 24 && parts.values.columns == 32)
    // Of head 1, the third column of its keys is the official row 40 + 3.
    let keys = values(parts.keys, 32..<64)
    #expect((0..<32).map { keys[$0 * 16 + 3] } == values(whole, 43..<44))
    #expect(original.splitLatentUp(2) == nil)
  }

  @Test("Types by tensor, and what rows do that no block divides")
  func types() throws {
    let folder = try TemporaryFolder()
    let (original, exporter, url) = try exported("tiny-fp8", .q4_K_M, to: folder)
    // Rows of 192, 320, 160, 144, 128, 96 and 40.
    let types = Dictionary(
      uniqueKeysWithValues: try GGUFFile(url).header.tensors.map { ($0.name, $0.type) })
    #expect(types["token_embd.weight"] == .q4_1 && types["output.weight"] == .q8_0)
    #expect(types["blk.1.attn_k_b.weight"] == .f16 && types["blk.1.attn_v_b.weight"] == .q4_1)
    #expect(types["blk.1.attn_q_b.weight"] == .f16)
    #expect(types["blk.1.ffn_gate_inp.weight"] == .f32 && types["blk.1.exp_probs_b.bias"] == .f32)
    #expect(types["blk.1.attn_norm.weight"] == .f32)
    #expect(types["blk.0.ffn_down.weight"] == .q4_1 && types["blk.2.ffn_down_exps.weight"] == .q8_0)
    #expect(exporter.fallbacks[.init(wanted: .q4_K, written: .f16, columns: 40)] == 3)
    #expect(exporter.fallbacks[.init(wanted: .q6_K, written: .q8_0, columns: 192)] == 1)
    let read = try Checkpoint.open(url)
    let name = ParameterNames.expert(2, 15).up
    let (near, exact) = (try read.matrix(name), try original.matrix(name))
    #expect(near.type == .q4_1 && near.rowBytes == 192 / 32 * 20)
    #expect(near.rawRows(0..<2).count == 2 * near.rowBytes)
    let (a, b) = (values(near), values(exact))
    let error = zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    #expect(error > 0 && error < 0.01 * b.reduce(0) { $0 + $1 * $1 })
    #expect(read.storedSizes().byType[.q8_0]! > 0)
  }

  @Test("llama.cpp's mix: head, and the down projections of some layers")
  func mix() {
    #expect(
      (0..<27).filter { GGUFMix.getsMoreBits(layer: $0, of: 27) } == [0, 1, 2, 5, 8, 11, 14, 17, 20, 23, 24, 25, 26])
    #expect((0..<4).filter { GGUFMix.getsMoreBits(layer: $0, of: 4) } == [2, 3])
    #expect(GGUFMix(name: "q4_k_m") == .q4_K_M && GGUFMix(name: "Q4_K") == .q4_K && GGUFMix(name: "Q5_K") == nil)
  }

  @Test func anInterruptedExportLeavesNothing() throws {
    struct Stop: Error {}
    let folder = try TemporaryFolder()
    let exporter = try GGUFExporter(try Checkpoint.open(Fixtures.url("tiny-f32")), .bf16, tokenizer: [])
    var last = 0
    #expect(throws: Stop.self) {
      try exporter.write(to: folder["a.gguf"]) { done, total in
        #expect(done >= last && done <= total)
        last = done
        if done > total / 2 { throw Stop() }
      }
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == [])
  }

  @Test func whatIsThereStays() throws {
    let folder = try TemporaryFolder()
    try folder.put("text", "a.gguf")
    let exporter = try GGUFExporter(try Checkpoint.open(Fixtures.url("tiny-f32")), .bf16, tokenizer: [])
    let error = #expect(throws: CheckpointError.self) { try exporter.write(to: folder["a.gguf"]) }
    #expect(error?.expected == "a new file" && error?.found == "something there already")
    #expect(try folder.text("a.gguf") == "text")
  }

  @Test(
    "What deepseek2 files cannot say is refused",
    arguments: [
      ("\"n_shared_experts\": 1", "\"n_shared_experts\": 0", "n_shared_experts", "at least 1"),
      ("\"mscale\": 1.0", "\"mscale\": 0.5", "rope_scaling.mscale", "the value of mscale_all_dim (1.0), above 0"),
    ])
  func inexpressible(_ old: String, _ new: String, _ field: String, _ expected: String) throws {
    let folder = try TemporaryFolder(copyOf: Fixtures.url("tiny-f32"))
    try folder.replace(old, with: new, in: "config.json")
    let checkpoint = try Checkpoint.open(folder.url)
    let error = #expect(throws: CheckpointError.self) { _ = try GGUFExporter(checkpoint, .f32, tokenizer: []) }
    #expect(error?.subject == "field \(field)")
    #expect(error?.expected == expected + ", as deepseek2 files have it")
  }
}

@Suite struct BadGGUFModelTests {
  /// A file with the metadata of tiny-f32, changed, and no tensors or its own.
  private func failure(_ changes: [(String, GGUFValue?)], tensors: Bool = false) throws -> String {
    let folder = try TemporaryFolder()
    let (_, _, url) = try exported("tiny-f32", .bf16, to: folder)
    try rewrite(url, to: folder["changed.gguf"], changes) { _ in tensors }
    return try #require(throws: CheckpointError.self) { try Checkpoint.open(folder["changed.gguf"]) }.description
  }

  @Test(
    "Impossible metadata",
    arguments: [
      ("general.architecture", .string("llama"), "expected \"deepseek2\", found \"llama\""),
      ("general.architecture", nil, "expected \"deepseek2\", found nothing"),
      (
        "split.count", .uint16(3),
        "expected nothing or 1 in a file whose name is not like NAME-00001-of-00009.gguf, found 3"
      ),
      ("deepseek2.block_count", nil, "expected an integer, 1 to 4096, found nothing"),
      ("deepseek2.block_count", .float32(4), "expected an integer, 1 to 4096, found 4.0"),
      ("deepseek2.embedding_length", .uint32(0), "expected an integer, 1 to 1048576, found 0"),
      ("deepseek2.attention.key_length_mla", .uint32(8), "expected an integer, 9 to 131072, found 8"),
      ("deepseek2.expert_gating_func", .uint32(4), "expected an integer, 1 to 2, found 4"),
      ("deepseek2.expert_weights_norm", .uint8(1), "expected true or false, found 1"),
      ("deepseek2.rope.scaling.type", .string("linear"), "expected \"yarn\" or \"none\", found \"linear\""),
      (
        "deepseek2.rope.scaling.factor", .float32(.nan), "expected a floating-point number, 1.0 to 1000000.0, found nan"
      ),
      ("deepseek2.rope.scaling.attn_factor", .float32(0.5), "expected 1, or nothing, found 0.5"),
      ("deepseek2.rope.scaling.yarn_log_multiplier", .float64(0.1), "expected 0 to 100, as float32, found 0.1"),
      ("tokenizer.ggml.bos_token_id", .uint32(512), "expected a token id, 0 to 511, found 512"),
    ] as [(String, GGUFValue?, String)])
  func metadata(_ key: String, _ value: GGUFValue?, _ expected: String) throws {
    let message = try failure([(key, value)])
    #expect(message.hasPrefix("changed.gguf: field \(key): \(expected). Hint: "), "\(message)")
  }

  @Test func wrongTensors() throws {
    #expect(
      try failure([]) == """
        changed.gguf: tensor token_embd.weight: expected dimensions [64, 512], found nothing; 69 required tensors are \
        absent. Hint: Metadata and tensors do not belong together: convert the checkpoint again.
        """)
    #expect(
      try failure([("deepseek2.expert_used_count", .uint32(3)), ("deepseek2.vocab_size", .uint32(511))], tensors: true)
        .hasPrefix("changed.gguf: tensor token_embd.weight: expected dimensions [64, 511], found [64, 512]. Hint: "))
    #expect(
      try failure([("deepseek2.leading_dense_block_count", .uint32(2))], tensors: true)
        .hasPrefix("changed.gguf: tensor blk.1.ffn_gate.weight: expected dimensions [64, 128], found nothing"))
  }

  @Test func typesThatDoNotRun() throws {
    let folder = try TemporaryFolder()
    let (_, _, url) = try exported("tiny-f32", .bf16, to: folder)
    let header = try GGUFFile(url).header
    for (name, type, expected) in [
      ("blk.0.attn_norm.weight", GGMLType.q8_0, "F32, F16, BF16"),
      (
        "output.weight", .mxfp4,
        "F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, IQ4_XS, BF16"
      ),
    ] {
      let writer = try GGUFWriter(
        folder["\(type).gguf"], metadata: header.metadata,
        tensors: header.tensors.map { .init($0.name, $0.name == name ? type : $0.type, $0.dimensions) })
      for tensor in header.tensors {
        let rowBytes = (tensor.name == name ? type : tensor.type).bytes(columns: tensor.columns) ?? 0
        try [UInt8](repeating: 0, count: rowBytes * tensor.rows).withUnsafeBytes {
          try writer.write($0, to: tensor.name)
        }
      }
      try writer.finish()
      let message = try #require(throws: CheckpointError.self) { try Checkpoint.open(folder["\(type).gguf"]) }
        .description
      #expect(message.hasPrefix("\(type).gguf: tensor \(name): expected \(expected), found \(type.name). Hint: "))
    }
  }

  /// Damaged files are refused or opened; what opens can be counted and read.
  @Test func damagedModels() throws {
    let folder = try TemporaryFolder()
    let (_, _, url) = try exported("tiny-v2lite", .bf16, to: folder)
    let original = Array(try Data(contentsOf: url))
    let header = try GGUFFile(url).header
    let words = ["deepseek2.", "expert_count", ".weight", "blk.", "blk.4.", "block_count", "\u{4}\u{0}\u{0}\u{0}"]
    var mutator = Mutator(seed: 32, words: words)
    var accepted = 0
    for round in 0..<fuzzCount(300) {
      var start = Array(original[..<header.dataStart])
      if round % 2 == 0 {
        // One flipped or replaced byte keeps the container whole more often than not.
        start[mutator.random.below(start.count)] = UInt8(truncatingIfNeeded: mutator.random.next())
      } else {
        start = mutator.mutated(start)
      }
      try Data(start).write(to: url)
      #expect(truncate(url.path, off_t(original.count)) == 0)
      do {
        let checkpoint = try Checkpoint.open(url)
        accepted += 1
        #expect(ParameterInventory(checkpoint.configuration).total > 0)
        #expect(checkpoint.storedSizes().total > 0)
        _ = values(try checkpoint.matrix(ParameterNames.latentUp(0)), 0..<1)
      } catch {
        #expect(error is CheckpointError)
      }
    }
    #expect(accepted > 20)
  }
}
