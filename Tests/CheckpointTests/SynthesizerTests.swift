import Checkpoint
import Foundation
import StrictJSON
import TestSupport
import Testing

@Suite struct SynthesizerTests {
  private func files(_ folder: URL) throws -> [String: Data] {
    var files: [String: Data] = [:]
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
      files[name] = try Data(contentsOf: folder.appending(path: name))
    }
    return files
  }

  private func values(_ source: TensorSource) -> [Float] {
    [Float](unsafeUninitializedCapacity: source.rows * source.columns) { out, count in
      source.readRows(0..<source.rows, into: out.baseAddress!, stride: source.columns)
      count = source.rows * source.columns
    }
  }

  private func moments(_ values: [Float]) -> (mean: Double, deviation: Double) {
    let mean = values.reduce(0) { $0 + Double($1) } / Double(values.count)
    let square = values.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
    return (mean, (square / Double(values.count)).squareRoot())
  }

  /// Official FP8 with partial blocks, a module of multi-token prediction, any vocabulary.
  private var fp8: ModelConfiguration {
    var model = ModelConfiguration.Preset.tiny.configuration
    model.hidden = 192
    model.vocabularySize = 300
    model.denseIntermediate = 320
    model.mtpLayers = 1
    model.quantizationBlock = .init(rows: 128, columns: 128)
    return model
  }

  @Test func tinyOpensAndLooksNormal() throws {
    let folder = try TemporaryFolder()
    var reports: [Int64] = []
    let synthesizer = try Synthesizer(.tiny, seed: 7)
    try synthesizer.write(to: folder["out"]) { done, total in
      #expect(total == synthesizer.totalBytes)
      reports.append(done)
    }
    #expect(reports.first == 0 && reports.last == synthesizer.totalBytes && reports.sorted() == reports)
    let checkpoint = try Checkpoint.open(folder["out"])
    #expect(checkpoint.surplus == [] && checkpoint.skipped == [])
    #expect(checkpoint.configuration == synthesizer.configuration)
    #expect(checkpoint.fileCount == 1)
    #expect(checkpoint.generationDefaults.eosTokens == [1])
    #expect(try checkpoint.vector(ParameterNames.finalNorm) == [Float](repeating: 1, count: 64))
    let embedding = moments(values(try checkpoint.matrix(ParameterNames.embedding)))
    #expect(abs(embedding.mean) < 0.02 && abs(embedding.deviation - 1) < 0.02)
    let head = moments(values(try checkpoint.matrix(ParameterNames.head)))
    #expect(abs(head.mean) < 0.003 && abs(head.deviation - 0.125) < 0.003)
    let bias = moments(try checkpoint.vector(ParameterNames.gateBias(1)))
    #expect(bias.deviation > 0.004 && bias.deviation < 0.02)
    #expect(checkpoint.info(ParameterNames.gateBias(1))?.type == .f32)
  }

  @Test func sameSeedSameBytes() throws {
    let folder = try TemporaryFolder()
    for (name, seed) in [("a", 7), ("b", 7), ("c", 8)] as [(String, UInt64)] {
      try Synthesizer(fp8, seed: seed).write(to: folder[name])
    }
    let (a, b, c) = (try files(folder["a"]), try files(folder["b"]), try files(folder["c"]))
    #expect(a == b)
    #expect(a["model.safetensors"] != c["model.safetensors"] && a["config.json"] == c["config.json"])
    let fingerprints = try ["a", "b"].map { try Checkpoint.open(folder[$0]).fingerprint }
    #expect(fingerprints[0] == fingerprints[1])
  }

  @Test func shardsHoldTheSameNumbers() throws {
    let folder = try TemporaryFolder()
    var synthesizer = try Synthesizer(fp8, seed: 3)
    try synthesizer.write(to: folder["one"])
    synthesizer.shardBytes = 300_000
    try synthesizer.write(to: folder["many"])
    let (one, many) = (try Checkpoint.open(folder["one"]), try Checkpoint.open(folder["many"]))
    #expect(one.fileCount == 1 && many.fileCount > 3)
    #expect(many.surplus == [] && many.skipped.count > 10)
    for (name, info) in one.tensors where info.shape.count == 2 && !name.hasSuffix("_scale_inv") {
      #expect(values(try one.matrix(name)) == values(try many.matrix(name)), "\(name)")
    }
  }

  @Test func fp8IsNormalUnderItsScales() throws {
    let folder = try TemporaryFolder()
    try Synthesizer(fp8, seed: 1).write(to: folder["out"])
    let checkpoint = try Checkpoint.open(folder["out"])
    let up = try checkpoint.matrix(ParameterNames.dense(0).up)
    #expect(up.type == .f8e4m3)
    let numbers = values(up)
    let found = moments(numbers)
    #expect(abs(found.deviation * 192.0.squareRoot() - 1) < 0.02 && abs(found.mean) < 0.001)
    #expect(numbers.allSatisfy { $0.isFinite })
    #expect(try checkpoint.matrix(ParameterNames.gate(1)).type == .bf16)
    #expect(try checkpoint.matrix(ParameterNames.embedding).type == .bf16)
  }

  @Test func bf16IsRoundedF32() throws {
    let folder = try TemporaryFolder()
    try Synthesizer(.tiny, seed: 5, storage: .f32).write(to: folder["f32"])
    try Synthesizer(.tiny, seed: 5).write(to: folder["bf16"])
    let name = ParameterNames.expert(2, 3).down
    let wide = values(try Checkpoint.open(folder["f32"]).matrix(name))
    let narrow = values(try Checkpoint.open(folder["bf16"]).matrix(name))
    #expect(wide.map { ElementConversion.f32(bf16: ElementConversion.bf16($0)) } == narrow)
    #expect(wide != narrow)
  }

  @Test func refusals() throws {
    let folder = try TemporaryFolder()
    try folder.put("x", "something")
    let full = try #require(throws: CheckpointError.self) { try Synthesizer(.tiny, seed: 1).write(to: folder.url) }
    #expect(full.expected == "a new or empty folder")
    let disk = try #require(throws: CheckpointError.self) { try Synthesizer(.r1, seed: 1).write(to: folder["r1"]) }
    #expect(disk.subject == "disk")
    #expect(disk.expected.contains("641.") && disk.expected.contains("GiB"), "\(disk.expected)")
    var small = ModelConfiguration.Preset.tiny.configuration
    small.vocabularySize = 275
    let error = try #require(throws: CheckpointError.self) { try Synthesizer(small, seed: 1) }
    #expect(error.subject == "field vocab_size" && error.expected.hasPrefix("at least 276"))
    small.vocabularySize = 276
    small.expertsPerToken = 17
    #expect(throws: CheckpointError.self) { try Synthesizer(small, seed: 1) }
  }

  @Test(arguments: [276, 400, 4096, 129_280])
  func tokenizerFits(_ vocabulary: Int) throws {
    let folder = try TemporaryFolder()
    var model = ModelConfiguration.Preset.tiny.configuration
    model.vocabularySize = vocabulary
    model.hidden = 8
    model.layers = 2
    try Synthesizer(model, seed: 1).write(to: folder["out"])
    let json = try StrictJSON.parse(try Data(contentsOf: folder["out/tokenizer.json"]))
    let entries = try #require(json["model"]?["vocab"]?.object)
    let merges = try #require(json["model"]?["merges"]?.array)
    let added = try #require(json["added_tokens"]?.array)
    var ids = Set(entries.members.compactMap(\.value.int))
    #expect(ids == Set(0..<entries.count))
    for token in added { ids.insert(try #require(token["id"]?.int)) }
    #expect(ids == Set(0..<vocabulary))
    for merge in merges {
      let parts = try #require(merge.string).split(separator: " ").map(String.init)
      #expect(parts.count == 2 && parts.allSatisfy { entries[$0] != nil } && entries[parts.joined()] != nil)
    }
    // The parts that decide how text is cut are those of R1.
    let official = try StrictJSON.parse(try Fixtures.data("tiny-f32/tokenizer.json"))
    for part in ["pre_tokenizer", "normalizer", "decoder", "post_processor"] {
      #expect(json[part] != nil && sorted(json[part]) == sorted(official[part]), "\(part)")
    }
    let names = Set(added.compactMap { $0["content"]?.string })
    #expect(names == Set(official["added_tokens"]?.array?.compactMap { $0["content"]?.string } ?? []))
  }

  /// Members in the order of their keys, so that == ignores the order in the file.
  private func sorted(_ value: JSONValue?) -> JSONValue? {
    switch value {
    case .object(let object):
      let members = object.members.sorted { $0.key < $1.key }.map { ($0.key, sorted($0.value) ?? .null) }
      return JSONObject(members).map { .object($0) }
    case .array(let items): return .array(items.compactMap(sorted))
    default: return value
    }
  }
}
