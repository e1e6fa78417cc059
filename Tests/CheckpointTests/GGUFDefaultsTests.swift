import Checkpoint
import Foundation
import TestSupport
import Testing

/// What files of other times and other models leave out, and how llama.cpp reads them.
@Suite struct GGUFDefaultsTests {
  /// A file as conversions of before 2025 have it: `attn_kv_b` in one piece, one pair of head lengths.
  private func oldFile(
    _ original: Checkpoint, at url: URL, without keys: Set<String> = []
  ) throws {
    let model = original.configuration
    try GGUFExporter(original, .f32, tokenizer: []).write(to: url.appendingPathExtension("new"))
    let new = try GGUFFile(url.appendingPathExtension("new"))
    var metadata = GGUFMetadata()
    let head = "deepseek2.attention."
    for (key, value) in new.header.metadata.pairs where !keys.contains(key) {
      switch key {
      case head + "key_length_mla", head + "value_length_mla": continue
      case head + "key_length": _ = metadata.append(key, .uint32(UInt32(model.headDimension)))
      case head + "value_length": _ = metadata.append(key, .uint32(UInt32(model.valueDimension)))
      case head + "head_count_kv": _ = metadata.append(key, .uint32(UInt32(model.heads)))
      default: _ = metadata.append(key, value)
      }
    }
    let width = model.heads * (model.nopeDimension + model.valueDimension)
    let declarations = new.header.tensors.compactMap { tensor -> GGUFWriter.Declaration? in
      if tensor.name.hasSuffix("attn_v_b.weight") { return nil }
      guard tensor.name.hasSuffix("attn_k_b.weight") else { return .init(tensor.name, tensor.type, tensor.dimensions) }
      let name = tensor.name.replacingOccurrences(of: "attn_k_b", with: "attn_kv_b")
      return .init(name, .f32, [model.latentRank, width])
    }
    let writer = try GGUFWriter(url, metadata: metadata, tensors: declarations)
    for tensor in new.header.tensors where declarations.contains(where: { $0.name == tensor.name }) {
      try writer.write(new.bytes(of: tensor), to: tensor.name)
    }
    for layer in 0..<model.layers {
      let whole = values(try original.matrix(ParameterNames.latentUp(layer)))
      try whole.withUnsafeBytes { try writer.write($0, to: "blk.\(layer).attn_kv_b.weight") }
    }
    try writer.finish()
  }

  @Test("Both layouts of the latent projections, and keys that are left out", arguments: ["tiny-f32", "tiny-v2lite"])
  func oldLayout(_ fixture: String) throws {
    let folder = try TemporaryFolder()
    let original = try Checkpoint.open(Fixtures.url(fixture))
    // V2-Lite's values are what llama.cpp takes for granted.
    let optional = fixture == "tiny-v2lite" ? ["gating_func", "weights_scale", "weights_norm", "group_count"] : []
    let keys = Set(
      optional.map { "deepseek2.expert_\($0)" }
        + ["deepseek2.expert_group_used_count"].filter { _ in !optional.isEmpty })
    try oldFile(original, at: folder["old.gguf"], without: keys)
    let old = try Checkpoint.open(folder["old.gguf"])
    var expected = original.configuration
    expected.mtpLayers = 0
    #expect(old.configuration == expected)
    #expect(old.splitLatentUp(0) == nil && old.surplus == [])
    for layer in 0..<expected.layers {
      let name = ParameterNames.latentUp(layer)
      #expect(old.info(name)?.shape == original.info(name)?.shape)
      #expect(values(try old.matrix(name)) == values(try original.matrix(name)))
    }
  }

  @Test("Sigmoid gates without groups keep their one group")
  func oneGroup() throws {
    let folder = try TemporaryFolder(copyOf: Fixtures.url("tiny-f32"))
    try folder.replace("\"n_group\": 4", with: "\"n_group\": 1", in: "config.json")
    try folder.replace("\"topk_group\": 2", with: "\"topk_group\": 1", in: "config.json")
    let original = try Checkpoint.open(folder.url)
    #expect(original.configuration.groups == 1 && original.configuration.scoring == .sigmoid)
    try GGUFExporter(original, .f32, tokenizer: []).write(to: folder["a.gguf"])
    #expect(try Checkpoint.open(folder["a.gguf"]).configuration == original.configuration)
    // Files that say nothing of groups have one too, unless they are R1's shape.
    try rewrite(
      folder["a.gguf"], [("deepseek2.expert_group_count", nil), ("deepseek2.expert_group_used_count", nil)])
    let read = try Checkpoint.open(folder["a.gguf"])
    #expect(read.configuration == original.configuration && read.warning == nil)
  }

  @Test("Correction biases make gates sigmoid where nothing is said, and contradict softmax")
  func gateBias() throws {
    let folder = try TemporaryFolder()
    let original = try Checkpoint.open(Fixtures.url("tiny-f32"))
    try GGUFExporter(original, .f32, tokenizer: []).write(to: folder["a.gguf"])
    try rewrite(folder["a.gguf"], [("deepseek2.expert_gating_func", nil)])
    let read = try Checkpoint.open(folder["a.gguf"])
    #expect(read.configuration.scoring == .sigmoid && read.configuration.selection == .biasedGroups)
    #expect(read.configuration == original.configuration)
    try rewrite(folder["a.gguf"], [("deepseek2.expert_gating_func", .uint32(1))])
    let error = try #require(throws: CheckpointError.self) { try Checkpoint.open(folder["a.gguf"]) }
    #expect("\(error)".contains("expert_gating_func: expected 2 (sigmoid), as the gates have correction biases"))
  }

  @Test("What a file without gating function, scale and norm means")
  func gateDefaults() throws {
    let folder = try TemporaryFolder()
    try GGUFExporter(try Checkpoint.open(Fixtures.url("tiny-v2lite")), .f32, tokenizer: []).write(to: folder["a.gguf"])
    let keys = ["gating_func", "weights_scale", "weights_norm", "group_count", "group_used_count"]
    try rewrite(folder["a.gguf"], keys.map { ("deepseek2.expert_\($0)", nil) })
    let model = try Checkpoint.open(folder["a.gguf"]).configuration
    #expect(model.scoring == .softmax && model.selection == .greedy && model.groups == 1)
    #expect(model.routedScale == 1 && !model.normalizesWeights)
    // Groups without a gating function: V2's choice among them.
    try rewrite(
      folder["a.gguf"],
      [("deepseek2.expert_group_count", .uint32(4)), ("deepseek2.expert_group_used_count", .uint32(2))])
    #expect(try Checkpoint.open(folder["a.gguf"]).configuration.selection == .groupLimitedGreedy)
  }
}
