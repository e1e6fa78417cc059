import Checkpoint
import Foundation
import Inference
import Kernels
import StrictJSON
import TestSupport
import Testing
import Tokenization

@Suite("A GGUF file runs like the folder that it was made from")
struct GGUFTests {
  private func withFile(_ fixture: String, _ mix: GGUFMix, _ body: (URL) throws -> Void) throws {
    let url = FileManager.default.temporaryDirectory.appending(path: "flotilla-\(UUID().uuidString).gguf")
    defer { try? FileManager.default.removeItem(at: url) }
    let checkpoint = try Checkpoint.open(Fixtures.url(fixture))
    try GGUFExporter(checkpoint, mix, tokenizer: try checkpoint.tokenizerMetadata()).write(to: url)
    try body(url)
  }

  private func hash(_ model: URL) throws -> (hash: String, format: String) {
    let (hash, session) = try run(model)
    return (hash, session.formats.description)
  }

  @Test("The same bits where no weight is rounded", arguments: Fixtures.checkpoints)
  func sameBits(_ name: String) throws {
    let folder = try hash(Fixtures.url(name))
    let isPlain = name == "tiny-f32" || name == "tiny-fp8"
    try withFile(name, isPlain ? .f32 : .bf16) { url in
      let file = try hash(url)
      #expect(file.hash == folder.hash)
      // A file has FP8 weights as f32.
      #expect(file.format == (folder.format == "fp8" ? "f32" : folder.format))
    }
  }

  @Test("Q4_0 is Q4_1 and Q5_0 is Q8_0, number for number", arguments: [ElementType.q4_0, .q5_0])
  func repacked(type: ElementType) throws {
    try withFile("tiny-fp8", .f32) { url in
      let original = try GGUFFile(url)
      let changed = url.appendingPathExtension("changed")
      defer { try? FileManager.default.removeItem(at: changed) }
      let stored: GGMLType = type == .q4_0 ? .q4_0 : .q5_0
      let tensors = original.header.tensors.map {
        GGUFWriter.Declaration($0.name, $0.name == "token_embd.weight" ? stored : $0.type, $0.dimensions)
      }
      let writer = try GGUFWriter(changed, metadata: original.header.metadata, tensors: tensors)
      var random = SeededGenerator(seed: 11)
      for tensor in original.header.tensors where tensor.name != "token_embd.weight" {
        try writer.write(original.bytes(of: tensor), to: tensor.name)
      }
      var bytes = (0..<512 * type.rowBytes(192)).map { _ in UInt8.random(in: 0...255, using: &random) }
      // Scales below 4: the highest bit of the exponent stays clear.
      for start in stride(from: 0, to: bytes.count, by: type.rowBytes(32)) { bytes[start + 1] &= 0xbf }
      try bytes.withUnsafeBytes { try writer.write($0, to: "token_embd.weight") }
      try writer.finish()

      let source = try Checkpoint.open(changed).matrix("model.embed_tokens.weight")
      let block: BlockFormat = type == .q4_0 ? .q4_1 : .q8_0
      #expect(source.hasBlocks(block) && !source.hasBlocks(.q6_K))
      let range = 5..<42
      var expected = [Float](repeating: 0, count: range.count * 192)
      expected.withUnsafeMutableBufferPointer { source.readRows(range, into: $0.baseAddress!, stride: 192) }
      var found = [Float](repeating: .nan, count: expected.count)
      source.withBlocks(block, range) { blocks in
        found.withUnsafeMutableBufferPointer { KernelTable.best.dequantize(block, blocks: blocks, into: $0) }
      }
      #expect(found == expected && Set(expected).count > 100)
    }
  }

  @Test("The tokenizer of the file gives the ids of tokenizer.json, and its template the prompts")
  func tokenizer() throws {
    let folder = Fixtures.url("tokenizer")
    let original = try Tokenizer(folder: folder)
    let tables = try TokenizerTables(folder: folder, vocabularySize: 129_280)
    #expect(tables.tokens.count == 129_280 && tables.kinds[129_279] == .unused && tables.addsBOS && !tables.addsEOS)
    let read = try Tokenizer(tables, source: "file")
    #expect(read.vocabularySize == original.vocabularySize)
    #expect(read.bosToken == original.bosToken && read.eosToken == original.eosToken)
    let cases = try StrictJSON.parse(try Fixtures.data("tokenizer/tokenizer_cases.json"))["cases"]!.array!
    for item in cases {
      let text = item["text"]!.string!
      #expect(read.encode(text) == original.encode(text))
      #expect(read.encodeCompletion(text) == original.encodeCompletion(text))
    }
    for id in stride(from: 0, to: original.vocabularySize, by: 7) {
      #expect(read.bytes(of: id) == original.bytes(of: id))
    }
    let conversation = Conversation([("system", "Short."), ("user", "1+1?")])
    #expect(try read.render(conversation).map(\.text) == original.render(conversation).map(\.text))
  }

  @Test func aCheckpointWithoutTokenizerHasNoneInTheFile() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "flotilla-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    try FileManager.default.copyItem(at: Fixtures.url("tiny-f32"), to: folder)
    try FileManager.default.removeItem(at: folder.appending(path: "tokenizer.json"))
    let checkpoint = try Checkpoint.open(folder)
    let url = folder.appending(path: "a.gguf")
    try GGUFExporter(checkpoint, .bf16, tokenizer: try checkpoint.tokenizerMetadata()).write(to: url)
    let read = try Checkpoint.open(url)
    #expect(read.metadata?["tokenizer.ggml.model"] == .string("none"))
    #expect(read.metadata?["deepseek2.vocab_size"] == .uint32(512))
    #expect(try read.tokenizer() == nil)
  }

  @Test(
    "What is wrong with the tokenizer of a file is named",
    arguments: [
      ("tokenizer.ggml.model", .string("llama"), "expected gpt2 (byte-level BPE) or none, found \"llama\""),
      (
        "tokenizer.ggml.pre", .string("qwen2"),
        "expected one of \"deepseek-coder\", \"deepseek-llm\", \"deepseek-v3\", found \"qwen2\"; its patterns are not known"
      ),
      ("tokenizer.ggml.tokens", nil, "expected a list of strings, found nothing"),
      (
        "tokenizer.ggml.tokens", .strings([String](repeating: "a", count: 511)),
        "expected one for each of 511 tokens, found 512"
      ),
      ("tokenizer.ggml.token_type", .numbers(.init([1, 6])), "expected 1, 3, 4 or 5 for every token, found another"),
      ("tokenizer.ggml.merges", .strings(["a b c"]), "expected \"a b\", found \"a b c\""),
      ("tokenizer.ggml.merges", .strings(["zzz zzz"]), "\"zzz\" is not in the vocabulary"),
      ("tokenizer.ggml.eos_token_id", .uint32(511), "expected an id with a token, found 511"),
      ("tokenizer.chat_template", .uint8(1), "expected text, found another"),
    ] as [(String, GGUFValue?, String)])
  func badTokenizers(_ key: String, _ value: GGUFValue?, _ problem: String) throws {
    try withFile("tiny-f32", .bf16) { url in
      let original = try GGUFFile(url)
      let changed = url.appendingPathExtension("changed")
      defer { try? FileManager.default.removeItem(at: changed) }
      var metadata = GGUFMetadata()
      for pair in original.header.metadata.pairs {
        if let new = pair.key == key ? value : pair.value { _ = metadata.append(pair.key, new) }
      }
      let writer = try GGUFWriter(
        changed, metadata: metadata, tensors: original.header.tensors.map { .init($0.name, $0.type, $0.dimensions) })
      for tensor in original.header.tensors { try writer.write(original.bytes(of: tensor), to: tensor.name) }
      try writer.finish()
      let error = try #require(throws: TokenizationError.self) { _ = try Checkpoint.open(changed).tokenizer() }
      #expect(error.problem == problem)
      #expect(error.source == changed.lastPathComponent)
    }
  }

  /// Damaged tables are refused or give a tokenizer that encodes and decodes.
  @Test func damagedTables() throws {
    let original = try TokenizerTables(folder: Fixtures.url("tiny-f32"), vocabularySize: 512)
    var mutator = Mutator(seed: 41, words: ["Ġ", "<｜User｜>", " "])
    var accepted = 0
    for _ in 0..<fuzzCount(1000) {
      var tables = original
      let at = mutator.random.below(512)
      switch mutator.random.below(6) {
      case 0: tables.tokens[at] = String(decoding: mutator.mutated(Array(tables.tokens[at].utf8)), as: UTF8.self)
      case 1: tables.kinds[at] = [.normal, .control, .userDefined, .unused][mutator.random.below(4)]
      case 2:
        let rank = mutator.random.below(tables.merges.count)
        tables.merges[rank] = String(decoding: mutator.mutated(Array(tables.merges[rank].utf8)), as: UTF8.self)
      case 3: tables.special["eos_token"] = at
      case 4: tables.tokens.removeLast(1 + at)
      default:
        tables.chatTemplate = tables.chatTemplate.map {
          String(decoding: mutator.mutated(Array($0.utf8)), as: UTF8.self)
        }
      }
      do {
        let tokenizer = try Tokenizer(tables, source: "file")
        accepted += 1
        let text = "What is 478 + 256?\n"
        #expect(tokenizer.decode(tokenizer.encode(text)) == text)
      } catch {
        #expect(error is TokenizationError)
      }
    }
    #expect(accepted > 300)
  }
}
