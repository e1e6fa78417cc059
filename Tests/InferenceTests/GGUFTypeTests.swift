import Checkpoint
import DeepSeek
import Foundation
import Inference
import Kernels
import TestSupport
import Testing

/// A small model whose rows blocks of 256 divide, but for the keys of `kv_b_proj`.
private var shape: ModelConfiguration {
  var model = ModelConfiguration.Preset.tiny.configuration
  (model.hidden, model.layers, model.heads, model.queryRank) = (256, 3, 2, 256)
  (model.latentRank, model.nopeDimension, model.ropeDimension, model.valueDimension) = (256, 32, 16, 128)
  (model.denseIntermediate, model.expertIntermediate, model.routedExperts) = (512, 256, 8)
  return model
}

/// Files of that model with blocks of any type: random codes under scales that keep the numbers small.
private struct Files {
  let folder = FileManager.default.temporaryDirectory.appending(path: "flotilla-\(UUID().uuidString)")

  init() throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try Synthesizer(shape, seed: 5).write(to: folder.appending(path: "source"))
    let source = try Checkpoint.open(folder.appending(path: "source"))
    try GGUFExporter(source, .f32, tokenizer: []).write(to: folder.appending(path: "f32.gguf"))
  }

  func remove() { try? FileManager.default.removeItem(at: folder) }

  /// Where f16 scales lie in a block, and the exponents that they are given.
  private static func scales(_ type: GGMLType) -> [(at: Int, byte: UInt8)] {
    switch type {
    case .q2_K: [(80, 0x18), (82, 0x18)]
    case .q3_K: [(108, 0x0C)]
    case .q4_K, .q5_K: [(0, 0x08), (2, 0x08)]
    case .iq4_XS: [(0, 0x04)]
    case .q5_1: [(0, 0x18), (2, 0x98)]
    case .iq4_NL, .q8_0: [(0, 0x10)]
    default: [(0, 0x18)]
    }
  }

  /// The model with all quantisable matrices of `type`; rows that it does not divide are of `other`.
  func make(_ type: GGMLType, else other: GGMLType = .q8_0) throws -> URL {
    let url = folder.appending(path: "\(type)-\(other).gguf")
    let original = try GGUFFile(folder.appending(path: "f32.gguf"))
    func wanted(_ tensor: GGUFTensor) -> GGMLType {
      if tensor.dimensions.count == 1 || tensor.name.contains("ffn_gate_inp") { return tensor.type }
      return tensor.columns % type.blockElements == 0 ? type : other
    }
    let writer = try GGUFWriter(
      url, metadata: original.header.metadata,
      tensors: original.header.tensors.map { .init($0.name, wanted($0), $0.dimensions) })
    var random = SeededGenerator(seed: 17)
    for tensor in original.header.tensors {
      let type = wanted(tensor)
      guard type != tensor.type else {
        try writer.write(original.bytes(of: tensor), to: tensor.name)
        continue
      }
      let size = type.blockBytes
      var bytes = (0..<tensor.rows * tensor.columns / type.blockElements * size).map { _ in
        UInt8(truncatingIfNeeded: random.next())
      }
      for start in stride(from: 0, to: bytes.count, by: size) {
        for (at, byte) in Self.scales(type) { bytes[start + at + 1] = byte | bytes[start + at + 1] & 3 }
      }
      try bytes.withUnsafeBytes { try writer.write($0, to: tensor.name) }
    }
    try writer.finish()
    return url
  }
}

private func options(_ model: URL, _ quant: String, requantizes: Bool) -> RunOptions {
  var options = RunOptions(model: model, version: "test")
  options.threads = 1
  options.formats = quant
  options.requantizes = requantizes
  return options
}

/// Hash of all logits of two prompts and their continuations.
func run(
  _ model: URL, _ quant: String = "auto", requantizes: Bool = false
) throws -> (hash: String, session: RunSession) {
  let options = options(model, quant, requantizes: requantizes)
  let session = try RunSession(options, fleet: Fleet(timeout: .seconds(10), hub: options.coordinator))
  let (engine, fabric) = (try #require(session.engine), try #require(session.fabric))
  fabric.wantsLogits = true
  let tracer = Tracer(model: engine.model, fabric: fabric, chunk: 64)
  let traces = try tracer.trace(prompts: [[0, 5, 6, 7, 8, 100, 33], [17]], greedy: 3, together: false)
  return (TraceFile.hash(traces), session)
}

@Suite("GGUF types without a kernel of the same numbers")
struct GGUFTypeTests {
  @Test(
    "Refused unless --requantize is said, then in the nearest format",
    arguments: [
      (.q5_K, .q5_1, "Q5_1 as q8_0, Q5_K as q6_K", "Q5_K requantised to q6_K"),
      (.q2_K, .q8_0, "Q2_K as q4_K", "Q2_K requantised to q4_K"),
      (.q3_K, .q8_0, "Q3_K as q4_K", "Q3_K requantised to q4_K"),
      (.iq4_XS, .q8_0, "IQ4_XS as q6_K", "IQ4_XS requantised to q6_K"),
      (.iq4_NL, .q8_0, "IQ4_NL as q6_K", "IQ4_NL requantised to q6_K"),
      (.q5_1, .q8_0, "Q5_1 as q6_K", "Q5_1 requantised to q6_K"),
    ] as [(GGMLType, GGMLType, String, String)])
  func refused(_ type: GGMLType, _ other: GGMLType, _ ways: String, _ done: String) throws {
    let files = try Files()
    defer { files.remove() }
    let file = try files.make(type, else: other)
    let checkpoint = try Checkpoint.open(file)
    let error = try #require(throws: RequestError.self) { try WeightFormats(quant: "auto", for: checkpoint) }
    #expect("\(error)".hasPrefix("\(file.lastPathComponent): quantisation: expected types that a run format holds"))
    #expect("\(error)".hasSuffix("Hint: --requantize runs \(ways); or name a format with --quant"))
    // Naming formats says it too.
    #expect(try WeightFormats(quant: "q8_0", for: checkpoint).inexact.isEmpty)
    #expect(throws: RequestError.self) { try WeightFormats(quant: "experts=q4_K", for: checkpoint) }
    let (_, session) = try run(file, requantizes: true)
    #expect(session.conversions.contains { $0.hasPrefix(done) }, "\(session.conversions)")
    #expect(session.formats.description.hasSuffix("requantised"))
    #expect(try session.finish().conversions == session.conversions)
  }

  @Test(
    "An explicit format: the bits of a file with the same numbers in f32",
    arguments: [
      (GGMLType.q5_K, "q6_K"), (.q2_K, "q4_K"), (.iq4_XS, "q8_0"), (.q5_1, "f32"), (.q3_K, "bf16"),
    ])
  func explicit(_ type: GGMLType, _ quant: String) throws {
    let files = try Files()
    defer { files.remove() }
    let file = try files.make(type, else: .f32)
    let plain = files.folder.appending(path: "plain.gguf")
    try GGUFExporter(try Checkpoint.open(file), .f32, tokenizer: []).write(to: plain)
    #expect(try run(file, quant).hash == run(plain, quant).hash)
  }

  @Test(
    "Numbers that a format holds are packed as they are",
    arguments: [
      (GGMLType.iq4_NL, "q8_0"), (.q3_K, "q6_K"),
    ])
  func held(_ type: GGMLType, _ quant: String) throws {
    let files = try Files()
    defer { files.remove() }
    let checkpoint = try Checkpoint.open(try files.make(type))
    let formats = try WeightFormats(quant: quant, for: checkpoint)
    let texts = WeightConversions(checkpoint, formats).texts
    let name = try #require(ElementType.allCases.first { $0.rawValue == type.name }).rawValue
    #expect(texts.contains { $0.hasPrefix("\(name) repacked as \(quant), the same numbers (") }, "\(texts)")
  }

  @Test(
    "Prepared as stored: the bits of the file, wherever the bundles lie",
    arguments: [
      (GGMLType.q4_K, GGMLType.q5_0, false), (.q6_K, .q4_1, false), (.q5_K, .q5_1, true), (.q3_K, .iq4_NL, true),
    ])
  func prepared(_ type: GGMLType, _ other: GGMLType, _ requantizes: Bool) throws {
    let files = try Files()
    defer { files.remove() }
    let file = try files.make(type, else: other)
    let checkpoint = try Checkpoint.open(file)
    let formats = try WeightFormats(quant: "auto", requantizes: requantizes, for: checkpoint)
    let folder = files.folder.appending(path: "prepared")
    var bundles: Set<BundleName> = [.dense, .gates]
    bundles.formUnion((0..<shape.routedExperts).map { .expert($0) })
    try Preparation(checkpoint, formats: formats, bundles: bundles, into: folder, version: "test").run(threads: 2)
    let (expected, direct) = try run(file, requantizes: requantizes)
    let (hash, session) = try run(folder)
    #expect(hash == expected)
    #expect(session.formats.description == direct.formats.description && session.conversions == [])
    let error = try #require(throws: RequestError.self) { try run(folder, "q8_0") }
    #expect("\(error)".hasPrefix("--quant: expected auto or stored, in which the model was prepared, found q8_0."))
    // A folder without the experts still knows what they take.
    let alone = files.folder.appending(path: "alone")
    try Preparation(checkpoint, formats: formats, bundles: [.gates], into: alone, version: "test").run(threads: 1)
    let read = try WeightFormats(quant: "auto", for: Checkpoint.open(alone))
    #expect(read.dispatchEncoding(hidden: 256) == .q8 && read.description == formats.description)
  }

  @Test func storedIsForFilesWithBlocks() throws {
    let plain = try Checkpoint.open(Fixtures.url("tiny-f32"))
    let error = try #require(throws: RequestError.self) { try WeightFormats(quant: "stored", for: plain) }
    #expect("\(error)".hasPrefix("--quant: expected stored for a GGUF model with blocks only, found another"))
  }
}
