import Checkpoint
import Foundation
import TestSupport
import Testing

/// A small file with every kind of metadata and three tensors, as bytes.
private func sample() throws -> [UInt8] {
  let folder = try TemporaryFolder()
  var metadata = GGUFMetadata()
  for (key, value) in GGUFContainerTests.values {
    let isNew = metadata.append(key, value)
    #expect(isNew)
  }
  let writer = try GGUFWriter(
    folder["a.gguf"], metadata: metadata,
    tensors: [.init("a", .f32, [3]), .init("blk.0.b", .q4_K, [256, 2]), .init("c", .bf16, [2, 3, 2])])
  try [Float](arrayLiteral: 1, 2, 3).withUnsafeBytes { try writer.write($0, to: "a") }
  try [UInt8](repeating: 7, count: 288).withUnsafeBytes { try writer.write($0, to: "blk.0.b") }
  try [UInt8](0..<24).withUnsafeBytes { try writer.write(.init(rebasing: $0[12...]), to: "c", at: 12) }
  try [UInt8](0..<24).withUnsafeBytes { try writer.write(.init(rebasing: $0[..<12]), to: "c") }
  #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) != ["a.gguf"])
  try writer.finish()
  #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["a.gguf"])
  let bytes = Array(try Data(contentsOf: folder["a.gguf"]))
  #expect(bytes.count == writer.fileBytes)
  return bytes
}

private func header(_ bytes: [UInt8]) throws -> GGUFHeader {
  try withExactCopy(of: bytes) { try GGUFHeader($0, file: "a.gguf") }
}

private func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
  withUnsafeBytes(of: value.littleEndian, Array.init)
}

private func text(_ text: String) -> [UInt8] { littleEndian(UInt64(text.utf8.count)) + text.utf8 }

@Suite struct GGUFContainerTests {
  static let values: [(String, GGUFValue)] = [
    ("general.architecture", .string("deepseek2")), ("u8", .uint8(255)), ("i8", .int8(-128)),
    ("u16", .uint16(65_535)), ("i16", .int16(-2)), ("u32", .uint32(4_294_967_295)), ("i32", .int32(-3)),
    ("f32", .float32(1e-6)), ("bool", .bool(true)), ("u64", .uint64(.max)), ("i64", .int64(.min)),
    ("f64", .float64(0.1)), ("text", .string("\u{FF5C}e\u{301}\n")), ("texts", .strings(["", "é", "e\u{301}"])),
    ("numbers", .numbers(.init([1, -1, 2_147_483_647]))),
  ]

  @Test func whatIsWrittenIsRead() throws {
    let bytes = try sample()
    let read = try header(bytes)
    #expect(read.version == 3 && read.alignment == 32 && read.dataStart % 32 == 0)
    #expect(read.metadata.pairs.map(\.key) == Self.values.map(\.0))
    for (key, value) in Self.values { #expect(read.metadata[key] == value, "\(key)") }
    #expect(read.metadata["numbers"]?.numbers?.integers == [1, -1, 2_147_483_647])
    // Shortest decimals come back as the configuration had them.
    #expect(read.metadata["f32"]?.double == 1e-6)
    #expect(read.metadata["u64"]?.integer == nil && read.metadata["i64"]?.integer == .min)
    #expect(read.tensors.map(\.name) == ["a", "blk.0.b", "c"])
    #expect(read.tensors.map(\.type) == [.f32, .q4_K, .bf16])
    #expect(read.tensors[1].columns == 256 && read.tensors[1].rows == 2 && read.tensors[1].rowBytes == 144)
    #expect(read.tensors[2].dimensions == [2, 3, 2] && read.tensors[2].rows == 6)
    #expect(Array(bytes[read.tensors[2].byteRange]) == Array(0..<24))
    #expect(read.tensors.allSatisfy { $0.byteRange.lowerBound % 32 == 0 })
  }

  @Test func anAbandonedFileIsRemoved() throws {
    let folder = try TemporaryFolder()
    var writer: GGUFWriter? = try GGUFWriter(
      folder["a.gguf"], metadata: GGUFMetadata(), tensors: [.init("a", .f32, [4])])
    #expect(writer?.fileBytes ?? 0 > 16)
    writer = nil
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == [])
  }

  @Test func aDiskTooSmallIsRefused() throws {
    let folder = try TemporaryFolder()
    let error = try #require(throws: CheckpointError.self) {
      _ = try GGUFWriter(
        folder["a.gguf"], metadata: GGUFMetadata(), tensors: [.init("a", .f32, [1 << 30, 1 << 28])])
    }
    #expect(error.subject == "disk" && error.found.contains(" GiB"))
    #expect(throws: CheckpointError.self) {
      _ = try GGUFWriter(folder["a.gguf"], metadata: GGUFMetadata(), tensors: [.init("a", .f32, [1 << 40, 1 << 40])])
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == [])
  }

  /// A header by hand: magic, version, tensor count, metadata count, and what follows.
  private func crafted(version: UInt32 = 3, tensors: UInt64 = 0, pairs: UInt64 = 0, _ rest: [UInt8]) -> [UInt8] {
    Array("GGUF".utf8) + littleEndian(version) + littleEndian(tensors) + littleEndian(pairs) + rest
  }

  private func tensor(
    _ name: String, _ dimensions: [UInt64], type: UInt32 = 0, offset: UInt64 = 0, count: UInt32? = nil
  ) -> [UInt8] {
    text(name) + littleEndian(count ?? UInt32(dimensions.count)) + dimensions.flatMap(littleEndian)
      + littleEndian(type) + littleEndian(offset)
  }

  private func refused(_ bytes: [UInt8], _ subject: String, _ expected: String, _ found: String) {
    let error = #expect(throws: CheckpointError.self) { _ = try header(bytes) }
    #expect(error?.file == "a.gguf")
    #expect(error?.subject == subject)
    #expect(error?.expected == expected)
    #expect(error?.found == found)
    #expect(error?.hint.isEmpty == false)
  }

  @Test func impossibleBeginnings() {
    refused([], "file size", "at least 4 bytes", "0")
    refused(Array("GGML".utf8), "magic", "GGUF", "something else")
    refused(Array("GGUF".utf8), "version", "4 bytes from byte 4", "the end after 0")
    refused(crafted(version: 1, []), "version", "2 or 3", "1")
    refused(crafted(version: 4, []), "version", "2 or 3", "4")
    refused(
      crafted(version: UInt32(3).byteSwapped, []), "version", "a little-endian file",
      "version 3 in the other byte order")
    refused(
      crafted(tensors: .max, []), "tensor count", "what fits into the 8 bytes that are left of the header",
      "\(UInt64.max) of at least 32 bytes each")
    refused(
      crafted(pairs: 1 << 60, []), "metadata count", "what fits into the 0 bytes that are left of the header",
      "\(1 << 60) of at least 13 bytes each")
  }

  @Test func impossibleMetadata() {
    func pair(_ key: String, _ type: UInt32, _ value: [UInt8]) -> [UInt8] { text(key) + littleEndian(type) + value }
    func one(_ key: String, _ type: UInt32, _ value: [UInt8]) -> [UInt8] {
      crafted(pairs: 1, pair(key, type, value) + [UInt8](repeating: 0, count: 20))
    }
    refused(one("", 0, [1]), "metadata key 0", "a name", "an empty one")
    refused(one("k", 13, []), "field k", "a type of metadata, 0 to 12", "13")
    refused(one("k", 7, [2]), "field k", "0 or 1 for a truth value", "2")
    refused(
      one("k", 9, littleEndian(UInt32(9)) + littleEndian(UInt64(1))),
      "field k", "an array of plain values", "an array of arrays")
    refused(
      one("k", 9, littleEndian(UInt32(4)) + littleEndian(UInt64.max / 4 + 1)),
      "count of field k", "what fits into the 20 bytes that are left of the header",
      "\(UInt64.max / 4 + 1) of at least 4 bytes each")
    refused(
      one("k", 9, littleEndian(UInt32(7)) + littleEndian(UInt64(2)) + [1, 3]),
      "field k", "0 or 1 for a truth value", "3")
    refused(
      one("k", 8, littleEndian(UInt64(21))), "length of field k",
      "what fits into the 20 bytes that are left of the header", "21")
    refused(one("k", 8, littleEndian(UInt64(2)) + [0xC0, 0x80]), "field k", "UTF-8", "other bytes")
    refused(
      crafted(pairs: 2, pair("k", 0, [1]) + pair("k", 4, [1, 0, 0, 0]) + [0, 0]),
      "field k", "distinct keys", "this one twice")
    for wrong: (UInt32, [UInt8], String) in [
      (4, littleEndian(UInt32(0)), "0"), (4, littleEndian(UInt32(48)), "48"), (10, littleEndian(UInt64(32)), "32"),
      (8, text("32"), "\"32\""), (4, littleEndian(UInt32(1 << 21)), "2097152"),
    ] {
      refused(
        one("general.alignment", wrong.0, wrong.1), "field general.alignment",
        "a power of two up to 1048576, as uint32", wrong.2)
    }
  }

  @Test func impossibleTensors() {
    let padding = [UInt8](repeating: 0, count: 64)
    func one(_ entry: [UInt8]) -> [UInt8] { crafted(tensors: 1, entry + padding) }
    refused(one(tensor("", [4])), "name of tensor 0", "1 to 63 bytes", "0")
    refused(one(tensor(String(repeating: "n", count: 64), [4])), "name of tensor 0", "1 to 63 bytes", "64")
    refused(one(tensor("t", [4], count: 0)), "tensor t", "1 to 4 dimensions", "0")
    refused(one(tensor("t", [4, 1, 1, 1, 1])), "tensor t", "1 to 4 dimensions", "5")
    refused(one(tensor("t", [4, 0])), "tensor t", "dimensions from 1 that fit 63 bits", "0")
    refused(one(tensor("t", [1 << 63])), "tensor t", "dimensions from 1 that fit 63 bits", "\(UInt64(1) << 63)")
    refused(one(tensor("t", [4], type: 4)), "tensor t", "a known element type", "number 4")
    refused(one(tensor("t", [48], type: 8)), "tensor t", "rows of whole blocks of 32 (Q8_0)", "48 elements")
    refused(one(tensor("t", [1 << 62])), "tensor t", "a size that fits 63 bits", "[\(1 << 62)]")
    refused(
      one(tensor("t", [4, 1 << 30, 1 << 30])), "tensor t", "a size that fits 63 bits",
      "[4, \(1 << 30), \(1 << 30)]")
    refused(
      one(tensor("t", [4], offset: 32)), "tensor t", "data from offset 0, after the tensor before it",
      "data from offset 32")
    refused(
      crafted(tensors: 2, tensor("t", [4]) + tensor("t", [4], offset: 32) + padding),
      "tensor t", "distinct names", "this one twice")
    refused(
      crafted(tensors: 2, tensor("t", [9]) + tensor("u", [4], offset: 32) + padding),
      "tensor u", "data from offset 64, after the tensor before it", "data from offset 32")
    refused(
      crafted(tensors: 2, tensor("t", [1 << 60]) + tensor("u", [1 << 60], offset: 1 << 62) + padding),
      "tensor u", "a size that fits 63 bits", "[\(1 << 60)]")
    let whole = crafted(tensors: 1, tensor("t", [4]))
    let start = (whole.count + 31) / 32 * 32
    let zeros = { (count: Int) in [UInt8](repeating: 0, count: count) }
    refused(whole + zeros(start - whole.count + 15), "file size", "\(start + 16) bytes or more", "\(start + 15) bytes")
    refused(
      whole + zeros(start - whole.count + 33), "file size", "at most \(start + 32) bytes",
      "\(start + 33) bytes, the last ones of no tensor")
    #expect(throws: Never.self) { try header(whole + zeros(start - whole.count + 16)) }
    #expect(throws: Never.self) { try header(whole + zeros(start - whole.count + 32)) }
  }

  /// Damaged files are refused or read, and never crash; what is read lies inside the file, in order.
  @Test func damagedContainers() throws {
    let original = try sample()
    let end = try header(original).dataStart
    let words = [
      "GGUF", "general.alignment", "\u{8}\u{0}\u{0}\u{0}", "\u{9}\u{0}\u{0}\u{0}", "blk.0.b",
      "\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{1}", "\u{7F}\u{7F}\u{7F}\u{7F}\u{7F}\u{7F}\u{7F}\u{7F}",
    ]
    var mutator = Mutator(seed: 31, words: words)
    var accepted = 0
    for round in 0..<fuzzCount(100_000) {
      let bytes =
        round % 8 == 0
        ? mutator.mutated(original) : mutator.mutated(Array(original[..<end])) + original[end...]
      guard let read = try? header(bytes) else { continue }
      accepted += 1
      var last = read.dataStart
      for tensor in read.tensors {
        #expect(tensor.byteRange.lowerBound >= last && tensor.byteRange.lowerBound % read.alignment == 0)
        #expect(tensor.rows * tensor.rowBytes == tensor.byteRange.count)
        last = tensor.byteRange.upperBound
      }
      #expect(read.tensors.isEmpty || last <= bytes.count)
    }
    #expect(accepted > 1000)
  }
}
