import Checkpoint
import Foundation
import TestSupport
import Testing

/// Every way in which a checkpoint can be wrong, with the exact words.
@Suite struct BadCheckpointTests {
  private let shard = "model-00002-of-00003.safetensors"
  private let index = "model.safetensors.index.json"

  private func failure(_ folder: TemporaryFolder) throws -> String {
    try #require(throws: CheckpointError.self) { try Checkpoint.open(folder.url) }.description
  }

  /// Changes the header of a safetensors file in place; lengths may differ.
  private func edit(_ url: URL, _ old: String, _ new: String) throws {
    let bytes = [UInt8](try Data(contentsOf: url))
    let length = Int(UInt64(littleEndian: bytes.withUnsafeBytes { $0.load(as: UInt64.self) }))
    let header = String(decoding: bytes[8..<8 + length], as: UTF8.self)
    precondition(header.contains(old), "\(old) is not in the header")
    let range = header.range(of: old)!
    let changed = Array(header.replacingCharacters(in: range, with: new).utf8)
    let size = withUnsafeBytes(of: UInt64(changed.count).littleEndian, Array.init)
    try Data(size + changed + bytes[(8 + length)...]).write(to: url)
  }

  /// A header over `data` zero bytes.
  private func header(_ json: String, data: Int) -> String {
    let bytes = withUnsafeBytes(of: UInt64(json.utf8.count).littleEndian, Array.init) + Array(json.utf8)
    let file = bytes + [UInt8](repeating: 0, count: data)
    do {
      let header = try file.withUnsafeBytes { try SafetensorsHeader($0, file: "f.safetensors") }
      return "read \(header.tensors.count)"
    } catch {
      return "\(error)".replacingOccurrences(
        of: " Hint: The file is damaged or no safetensors file: fetch it again.", with: "")
    }
  }

  @Test func truncatedShard() throws {
    let folder = try TemporaryFolder(copyOf: Fixtures.url("tiny-bf16-sharded"))
    let handle = try FileHandle(forWritingTo: folder[shard])
    try handle.truncate(atOffset: 400_000)
    #expect(
      try failure(folder)
        == "\(shard): file size: expected 477472 bytes, found 400000 bytes. "
        + "Hint: The file is truncated: fetch it again.")
    try handle.truncate(atOffset: 5000)
    #expect(try failure(folder).hasPrefix("\(shard): file size: expected 12160 bytes or more, found 5000 bytes."))
    try handle.truncate(atOffset: 0)
    #expect(try failure(folder).hasPrefix("\(shard): file size: expected at least 8 bytes, found 0 bytes."))
  }

  @Test func missingShards() throws {
    let folder = try TemporaryFolder(copyOf: Fixtures.url("tiny-bf16-sharded"))
    try FileManager.default.removeItem(at: folder[shard])
    try FileManager.default.removeItem(at: folder["model-00003-of-00003.safetensors"])
    #expect(
      try failure(folder)
        == "\(index): field weight_map: expected 3 files, found 2 of them missing: \(shard), "
        + "model-00003-of-00003.safetensors. "
        + "Hint: The download is incomplete, or a link leads nowhere: fetch the missing files.")
  }

  @Test func missingIndex() throws {
    let folder = try TemporaryFolder(copyOf: Fixtures.url("tiny-bf16-sharded"))
    try FileManager.default.removeItem(at: folder[index])
    #expect(
      try failure(folder).hasSuffix(
        "weights: expected model.safetensors or model.safetensors.index.json, found neither, only files such as "
          + "model-00001-of-00003.safetensors. Hint: Shards need their index: fetch model.safetensors.index.json too."))
  }

  @Test func linksOfTheHubsCache() throws {
    let folder = try TemporaryFolder(copyOf: Fixtures.url("tiny-f32"))
    let file = folder["model.safetensors"]
    try FileManager.default.removeItem(at: file)
    try FileManager.default.createSymbolicLink(atPath: file.path, withDestinationPath: "../../blobs/none")
    #expect(
      try failure(folder).hasSuffix(
        "found model.safetensors, a link that leads nowhere. "
          + "Hint: The download is incomplete: fetch the checkpoint again."))
    let cache = try TemporaryFolder()
    try FileManager.default.createDirectory(at: cache["snapshots"], withIntermediateDirectories: true)
    #expect(
      try failure(cache).hasSuffix(
        "found a folder of the hub's cache. Hint: Give one of the folders in its snapshots folder."))
  }

  @Test func tensorAbsent() throws {
    let folder = try TemporaryFolder(copyOf: Fixtures.url("tiny-f32"))
    try edit(folder["model.safetensors"], "model.layers.2.mlp.experts.7.up_proj.weight", "surplus.weight")
    #expect(
      try failure(folder)
        == "model.safetensors: tensor model.layers.2.mlp.experts.7.up_proj.weight: expected shape [32, 64], "
        + "found nothing. Hint: config.json and the weights do not belong together, or the download is incomplete.")
  }

  @Test func tensorAbsentInItsShard() throws {
    let folder = try TemporaryFolder(copyOf: Fixtures.url("tiny-bf16-sharded"))
    try edit(folder[shard], "model.layers.3.mlp.gate.weight", "other.weight")
    #expect(
      try failure(folder)
        == "\(shard): tensor model.layers.3.mlp.gate.weight: expected the tensor that \(index) puts into this file, "
        + "found nothing. Hint: Shards and index do not belong together: fetch both again.")
  }

  @Test func wrongShape() throws {
    let folder = try TemporaryFolder(copyOf: Fixtures.url("tiny-f32"))
    try folder.replace("\"kv_lora_rank\": 32", with: "\"kv_lora_rank\": 40", in: "config.json")
    #expect(
      try failure(folder)
        == "model.safetensors: tensor model.layers.0.self_attn.kv_a_proj_with_mqa.weight: expected shape [48, 64], "
        + "found [40, 64]. Hint: config.json and the weights do not belong together, or the download is incomplete.")
  }

  @Test func wrongShapeAfterAnAssumedField() throws {
    let folder = try TemporaryFolder(copyOf: Fixtures.url("tiny-f32"))
    try folder.replace("\"kv_lora_rank\": 32,", with: "", in: "config.json")
    #expect(
      try failure(folder).hasSuffix(
        "Hint: config.json lacks kv_lora_rank; official defaults were taken and do not fit."))
  }

  @Test func wrongType() throws {
    let folder = try TemporaryFolder(copyOf: Fixtures.url("tiny-f32"))
    try edit(
      folder["model.safetensors"], #""model.norm.weight":{"dtype":"F32""#, #""model.norm.weight":{"dtype":"I32""#)
    #expect(
      try failure(folder)
        == "model.safetensors: tensor model.norm.weight: expected F32, BF16 or F16, found I32. "
        + "Hint: Flotilla reads the official layouts; convert the checkpoint to BF16.")
  }

  @Test func unknownType() throws {
    let folder = try TemporaryFolder(copyOf: Fixtures.url("tiny-f32"))
    try edit(
      folder["model.safetensors"], #""model.norm.weight":{"dtype":"F32""#, #""model.norm.weight":{"dtype":"F31""#)
    #expect(
      try failure(folder)
        == "model.safetensors: tensor model.norm.weight: expected a dtype among F64, F32, F16, BF16, F8_E4M3, "
        + "F8_E5M2, I64, I32, I16, I8, U64, U32, U16, U8, BOOL, found \"F31\". "
        + "Hint: The file is damaged or no safetensors file: fetch it again.")
  }

  @Test func duplicateKey() throws {
    let folder = try TemporaryFolder(copyOf: Fixtures.url("tiny-f32"))
    try edit(
      folder["model.safetensors"], "model.layers.2.mlp.experts.7.up_proj", "model.layers.2.mlp.experts.7.down_proj")
    let text = try failure(folder)
    #expect(text.hasPrefix("model.safetensors: header: expected strict JSON, found line 1, column "), "\(text)")
    #expect(text.contains("model.layers.2.mlp.experts.7.down_proj.weight"), "\(text)")
  }

  @Test func offsets() {
    func two(_ first: String, _ second: String) -> String {
      #"{"a":{"dtype":"F32","shape":[2],"data_offsets":\#(first)},"b":{"dtype":"U8","shape":[4],"data_offsets":\#(second)}}"#
    }
    #expect(header(two("[0,8]", "[8,12]"), data: 12) == "read 2")
    #expect(
      header(two("[0,8]", "[4,8]"), data: 8)
        == "f.safetensors: tensor b: expected data from offset 8, after tensor a, found overlapping data from offset 4."
    )
    #expect(
      header(two("[0,8]", "[9,13]"), data: 13)
        == "f.safetensors: tensor b: expected data from offset 8, found a hole up to offset 9.")
    #expect(
      header(two("[0,8]", "[12,8]"), data: 12)
        == "f.safetensors: tensor b: expected data_offsets in ascending order, found 12 to 8.")
    #expect(
      header(two("[0,8]", "[8,11]"), data: 11)
        == "f.safetensors: tensor b: expected 4 bytes for U8 [4], found 3 bytes in data_offsets.")
    #expect(
      header(two("[0,8]", "[8,12]"), data: 13).contains(
        "expected 127 bytes, found 128 bytes, the last ones of no tensor"))
    #expect(header(two("[0,8]", "[-4,0]"), data: 8).contains("tensor b: expected two data_offsets from 0"))
    #expect(header(two("[0,8]", "[8]"), data: 8).contains("tensor b: expected two data_offsets, found 1"))
    #expect(header(two("[0,8]", "[9223372036854775803,9223372036854775807]"), data: 8).contains("inside the file"))
  }

  @Test func shapesAndForms() {
    func one(_ shape: String, _ end: Int = 0, type: String = "\"F32\"") -> String {
      header(#"{"a":{"dtype":\#(type),"shape":\#(shape),"data_offsets":[0,\#(end)]}}"#, data: end)
    }
    #expect(one("[]", 4) == "read 1" && one("[0,7]") == "read 1")
    #expect(one("[4611686018427387904,4]").contains("a shape whose size fits 64 bits"))
    #expect(one("[4611686018427387904]").contains("a shape whose size fits 64 bits"))
    #expect(one("[-1]").contains("expected a shape of integers from 0, found -1 in shape"))
    #expect(one("[1.5]").contains("expected a shape of integers from 0"))
    #expect(one("7").contains("expected a shape of integers from 0, found 7"))
    #expect(one("[]", 4, type: "32").contains("found 32"))
    #expect(header("{}", data: 0) == "read 0")
    #expect(header("[]", data: 0) == "f.safetensors: header: expected a JSON object, found something else.")
    #expect(header(#"{"a":[]}"#, data: 0).contains("tensor a: expected an object with dtype, shape and data_offsets"))
    #expect(header(#"{"a":{"shape":[],"data_offsets":[0,0]}}"#, data: 0).contains("found no dtype"))
    #expect(
      header(#"{"__metadata__":{"n":1}}"#, data: 0)
        == "f.safetensors: __metadata__: expected an object of strings, found 1 at n.")
    #expect(header(#"{"__metadata__":7}"#, data: 0).contains("expected an object of strings, found 7"))
    #expect(header(#"{"a":"#, data: 0).contains("header: expected strict JSON"))
  }

  @Test func headerTooLong() {
    var file = withUnsafeBytes(of: UInt64(100_000_001).littleEndian, Array.init)
    file += Array("{}".utf8)
    let error = #expect(throws: CheckpointError.self) {
      try file.withUnsafeBytes { try SafetensorsHeader($0, file: "f") }
    }
    #expect(error?.subject == "header length" && error?.found == "100000001 bytes")
  }

  @Test func indexMayNotLeadAway() throws {
    for name in ["../secret.safetensors", "/etc/passwd", "a/b.safetensors", "passwd", "\\\\host.safetensors", ""] {
      let folder = try TemporaryFolder(copyOf: Fixtures.url("tiny-mtp"))
      try folder.replace("model-00002-of-00002.safetensors", with: name, in: index)
      #expect(try failure(folder).contains("expected the plain name of a safetensors file beside the index"), "\(name)")
    }
  }

  @Test func scales() throws {
    let folder = try TemporaryFolder(copyOf: Fixtures.url("tiny-fp8"))
    let name = "model.layers.0.self_attn.kv_b_proj.weight_scale_inv"
    try edit(folder["model.safetensors"], name, "surplus")
    #expect(
      try failure(folder)
        == "model.safetensors: tensor \(name): expected F32 [3, 2], the scales of an F8_E4M3 weight, found nothing. "
        + "Hint: The checkpoint is incomplete: fetch it again.")
    let other = try TemporaryFolder(copyOf: Fixtures.url("tiny-fp8"))
    try edit(
      other["model.safetensors"], #""\#(name)":{"dtype":"F32","shape":[3,2]"#,
      #""\#(name)":{"dtype":"F32","shape":[2,3]"#)
    #expect(
      try failure(other)
        == "model.safetensors: tensor \(name): expected F32 [3, 2], one scale per block of 128 x 128, found F32 [2, 3]. "
        + "Hint: quantization_config.weight_block_size in config.json must fit the weights.")
    let plain = try TemporaryFolder(copyOf: Fixtures.url("tiny-fp8"))
    try plain.replace("\"quantization_config\"", with: "\"ignored\"", in: "config.json")
    #expect(try failure(plain).hasPrefix("config.json: field quantization_config: expected fp8 with weight_block_size"))
  }

  @Test func noCheckpoint() throws {
    let folder = try TemporaryFolder()
    func message(_ url: URL) throws -> String {
      try #require(throws: CheckpointError.self) { try Checkpoint.open(url) }.description
    }
    #expect(
      try message(folder["none"]).hasSuffix(
        "expected a Hugging Face checkpoint folder, a GGUF file or a prepared model, found nothing. Hint: Check the path."
      ))
    #expect(try message(folder.url).contains("found a folder without config.json"))
    try folder.put("GGUF....", "model.gguf")
    #expect(try message(folder["model.gguf"]).hasPrefix("model.gguf: version: expected 2 or 3, found"))
    #expect(try message(folder.url).hasPrefix("model.gguf: version: expected 2 or 3, found"))
    try folder.put("text", "file")
    #expect(try message(folder["file"]).contains("found a file. Hint: Give the folder"))
    try FileManager.default.copyItem(at: Fixtures.url("tiny-f32/config.json"), to: folder["config.json"])
    #expect(try message(folder.url).hasPrefix("model.gguf: version: expected 2 or 3, found"))
    try FileManager.default.removeItem(at: folder["model.gguf"])
    try folder.put("{\"a\": 1, \"a\": 2}", "config.json")
    #expect(try message(folder.url).hasPrefix("config.json: JSON: expected strict JSON, found line 1, column"))
  }

  @Test func surplusIsCollected() throws {
    let folder = try TemporaryFolder(copyOf: Fixtures.url("tiny-v2lite"))
    let original = try Checkpoint.open(folder.url).fingerprint
    // A layer less: what belonged to it is surplus.
    try folder.replace("\"num_hidden_layers\": 4", with: "\"num_hidden_layers\": 3", in: "config.json")
    let checkpoint = try Checkpoint.open(folder.url)
    #expect(checkpoint.surplus.count == 59 && checkpoint.surplus == checkpoint.surplus.sorted())
    #expect(checkpoint.surplus.allSatisfy { $0.hasPrefix("model.layers.3.") })
    #expect(checkpoint.fingerprint != original)
  }

  @Test func linksAsInTheHubsCache() throws {
    let cache = try TemporaryFolder()
    let manager = FileManager.default
    let blobs = cache["blobs"]
    let snapshot = cache["snapshots/abc"]
    try manager.createDirectory(at: blobs, withIntermediateDirectories: true)
    try manager.createDirectory(at: snapshot, withIntermediateDirectories: true)
    let fixture = Fixtures.url("tiny-mtp")
    for (number, name) in try manager.contentsOfDirectory(atPath: fixture.path).enumerated() {
      try manager.copyItem(at: fixture.appending(path: name), to: blobs.appending(path: "\(number)"))
      try manager.createSymbolicLink(
        atPath: snapshot.appending(path: name).path, withDestinationPath: "../../blobs/\(number)")
    }
    try manager.createSymbolicLink(atPath: cache["linked"].path, withDestinationPath: "snapshots/abc")
    let checkpoint = try Checkpoint.open(cache["linked"])
    #expect(checkpoint.fileCount == 2)
    #expect(checkpoint.fingerprint == (try Checkpoint.open(fixture).fingerprint))
    let link = snapshot.appending(path: "model-00002-of-00002.safetensors")
    try manager.removeItem(at: link)
    try manager.createSymbolicLink(atPath: link.path, withDestinationPath: "../../blobs/gone")
    let error = try #require(throws: CheckpointError.self) { try Checkpoint.open(snapshot) }
    #expect(error.found == "1 of them missing: model-00002-of-00002.safetensors")
  }

  @Test func tiedHead() throws {
    let folder = try TemporaryFolder(copyOf: Fixtures.url("tiny-v2lite"))
    try edit(folder["model.safetensors"], "lm_head.weight", "surplus")
    #expect(try failure(folder).contains("tensor lm_head.weight: expected shape [512, 64], found nothing"))
    try folder.replace("\"tie_word_embeddings\": false", with: "\"tie_word_embeddings\": true", in: "config.json")
    let checkpoint = try Checkpoint.open(folder.url)
    #expect(checkpoint.configuration.tiesEmbeddings && checkpoint.surplus == ["surplus"])
    // Stored all the same, it must fit.
    try edit(folder["model.safetensors"], "surplus", "lm_head.weight")
    #expect(try Checkpoint.open(folder.url).surplus == [])
    try edit(
      folder["model.safetensors"], #""lm_head.weight":{"dtype":"BF16","shape":[512,64]"#,
      #""lm_head.weight":{"dtype":"BF16","shape":[64,512]"#)
    #expect(try failure(folder).contains("tensor lm_head.weight: expected shape [512, 64], found [64, 512]"))
  }

  @Test func messagesAreFitForATerminal() {
    let error = CheckpointError(
      file: "a\u{1B}[31m\n", subject: "\u{202E}x", expected: "e", found: String(repeating: "ä", count: 9000), hint: "h")
    #expect(error.description.unicodeScalars.count <= 4000)
    #expect(error.description.hasPrefix("a\u{FFFD}[31m\u{FFFD}: \u{FFFD}x: expected e"))
  }
}
