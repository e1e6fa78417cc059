import Checkpoint
import Foundation
import TestSupport
import Testing

/// Writes a GGUF file anew with other metadata, or other tensors, in its place or in another.
func rewrite(
  _ url: URL, to target: URL? = nil, _ changes: [(String, GGUFValue?)],
  keeping isKept: (GGUFTensor) -> Bool = { _ in true }
) throws {
  let original = try GGUFFile(url)
  var metadata = GGUFMetadata()
  for (key, value) in original.header.metadata.pairs {
    let change = changes.first { $0.0 == key }
    if let new = change == nil ? value : change?.1 { _ = metadata.append(key, new) }
  }
  for (key, value) in changes { if let value { _ = metadata.append(key, value) } }
  let kept = original.header.tensors.filter(isKept)
  let writer = try GGUFWriter(
    target ?? url, metadata: metadata, tensors: kept.map { .init($0.name, $0.type, $0.dimensions) })
  for tensor in kept { try writer.write(original.bytes(of: tensor), to: tensor.name) }
  try writer.finish()
}

/// tiny-f32 as a split model, parts `m-00001-of-00005.gguf` and so on.
private func split(into folder: TemporaryFolder, name: String = "m.gguf") throws -> [URL] {
  let exporter = try GGUFExporter(
    try Checkpoint.open(Fixtures.url("tiny-f32")), .f32, tokenizer: [], partBytes: 450_000)
  return try exporter.write(to: folder[name])
}

private func failure(_ url: URL) throws -> String {
  try #require(throws: CheckpointError.self) { _ = try Checkpoint.open(url) }.description
}

@Suite struct GGUFSplitTests {
  @Test("Any part, or the folder, opens the whole model")
  func whole() throws {
    let folder = try TemporaryFolder()
    let parts = try split(into: folder)
    #expect(parts.map(\.lastPathComponent) == (1...5).map { "m-0000\($0)-of-00005.gguf" })
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).count == 5)
    for part in parts.indices {
      let metadata = try GGUFFile(parts[part]).header.metadata
      #expect(metadata["split.no"] == .uint16(UInt16(part)) && metadata["split.count"] == .uint16(5))
      #expect(metadata["split.tensors.count"] == .int32(70))
      #expect((metadata["general.architecture"] != nil) == (part == 0))
    }
    let original = try Checkpoint.open(Fixtures.url("tiny-f32"))
    let first = try Checkpoint.open(parts[0])
    #expect(first.fileCount == 5 && first.missingFiles == [] && first.absentTensors == 0)
    #expect(first.surplus == [] && first.tensorBytes == ParameterInventory(first.configuration).total * 4)
    for location in [parts[1], parts[4], folder.url] {
      let read = try Checkpoint.open(location)
      #expect(read.fingerprint == first.fingerprint && read.configuration == first.configuration)
      try ParameterInventory(read.configuration).forEach { parameter in
        let isVector = parameter.shape.count == 1
        let found = isVector ? try read.vector(parameter.name) : values(try read.matrix(parameter.name))
        let expected = isVector ? try original.vector(parameter.name) : values(try original.matrix(parameter.name))
        #expect(found == expected, "\(parameter.name)")
      }
    }
    // And back into one file: the bytes of a model that never was split.
    try GGUFExporter(first, .f32, tokenizer: []).write(to: folder["a.gguf"])
    try GGUFExporter(original, .f32, tokenizer: []).write(to: folder["b.gguf"])
    let (a, b) = (try GGUFFile(folder["a.gguf"]), try GGUFFile(folder["b.gguf"]))
    #expect(a.header.tensors.count == b.header.tensors.count)
    for (one, other) in zip(a.header.tensors, b.header.tensors) {
      #expect(one.name == other.name && a.bytes(of: one).elementsEqual(b.bytes(of: other)))
    }
    #expect(a.header.metadata["general.name"] == .string("m"))
  }

  @Test func partsThatAreMissing() throws {
    let folder = try TemporaryFolder()
    let parts = try split(into: folder)
    for part in [parts[1], parts[3]] { try FileManager.default.removeItem(at: part) }
    let expected = """
      m-00001-of-00005.gguf: field split.count: expected 5 files, found 2 of them missing: m-00002-of-00005.gguf, \
      m-00004-of-00005.gguf. Hint: Fetch them into the same folder; flotilla inspect tells from the first what the \
      model is.
      """
    #expect(try failure(parts[0]) == expected)
    #expect(try failure(parts[4]) == expected)
    #expect(try failure(folder.url) == expected)
    let partial = try Checkpoint.open(parts[0], allowsMissingParts: true)
    #expect(partial.missingFiles == ["m-00002-of-00005.gguf", "m-00004-of-00005.gguf"])
    #expect(partial.configuration == (try Checkpoint.open(Fixtures.url("tiny-f32"))).configuration)
    #expect(partial.absentTensors > 10 && partial.contains(ParameterNames.embedding))
    // A link that leads nowhere counts as missing.
    try FileManager.default.createSymbolicLink(atPath: parts[1].path, withDestinationPath: "/nonexistent/x")
    #expect(try failure(parts[0]) == expected)
    try FileManager.default.removeItem(at: parts[0])
    #expect(
      try failure(parts[2]) == """
        m-00001-of-00005.gguf: file: expected the first of 5 parts, which holds the metadata, found nothing. Hint: \
        Fetch it too, into the same folder.
        """)
  }

  @Test func namesThatDoNotFit() throws {
    let folder = try TemporaryFolder()
    let parts = try split(into: folder)
    try FileManager.default.copyItem(at: parts[1], to: folder["m-00006-of-00005.gguf"])
    #expect(
      try failure(parts[0]) == """
        m-00006-of-00005.gguf: file name: expected a number from 1 to 5, found 6. Hint: It is no part of that model: \
        rename it, or move it away.
        """)
    try FileManager.default.removeItem(at: folder["m-00006-of-00005.gguf"])
    try FileManager.default.copyItem(at: parts[2], to: folder["other.gguf"])
    #expect(
      try failure(folder["other.gguf"]).hasPrefix(
        "other.gguf: field split.count: expected nothing or 1 in a file whose name is not like NAME-00001-of-00009.gguf, "
          + "found 5. Hint: "))
    #expect(
      try failure(folder.url).hasSuffix(
        """
        : checkpoint: expected one GGUF model in the folder, found 2: m-00001-of-00005.gguf, other.gguf. Hint: Give the \
        path of the file that is meant; of a split model, of any part.
        """))
    try FileManager.default.removeItem(at: folder["other.gguf"])
    // Two parts in each other's place.
    try FileManager.default.moveItem(at: parts[1], to: folder["x"])
    try FileManager.default.moveItem(at: parts[2], to: parts[1])
    try FileManager.default.moveItem(at: folder["x"], to: parts[2])
    #expect(
      try failure(parts[0]).hasPrefix(
        "m-00002-of-00005.gguf: field split.no: expected 1, one less than in its name, found 2. Hint: "))
  }

  @Test func aFolderMayHoldTheConfigurationToo() throws {
    let folder = try TemporaryFolder()
    _ = try split(into: folder)
    try folder.put("{}", "config.json")
    #expect(try Checkpoint.open(folder.url).fileCount == 5)
    #expect(try Checkpoint.open(folder.url).metadata != nil)
  }

  @Test func aSingleFileMayBearAPartsName() throws {
    let folder = try TemporaryFolder()
    let exporter = try GGUFExporter(
      try Checkpoint.open(Fixtures.url("tiny-f32")), .f32, tokenizer: [], partBytes: 1 << 40)
    #expect(try exporter.write(to: folder["m-00001-of-00001.gguf"]) == [folder["m-00001-of-00001.gguf"]])
    #expect(try Checkpoint.open(folder.url).fileCount == 1)
    try FileManager.default.moveItem(at: folder["m-00001-of-00001.gguf"], to: folder["m-00001-of-00002.gguf"])
    #expect(
      try failure(folder.url).hasPrefix(
        "m-00001-of-00002.gguf: field split.count: expected 2, as its name says, found nothing. Hint: "))
  }

  @Test(
    "Parts that do not belong together",
    arguments: [
      ("split.count", .uint16(6), "expected 5, as its name says, found 6"),
      ("split.no", nil, "expected 2, one less than in its name, found nothing"),
      ("split.tensors.count", .int32(71), "expected 70, as in m-00001-of-00005.gguf, found 71"),
      ("split.tensors.count", .string("a"), "expected 70, as in m-00001-of-00005.gguf, found \"a\""),
      ("general.name", .string("another"), "expected \"tiny-f32\", as in m-00001-of-00005.gguf, found \"another\""),
    ] as [(String, GGUFValue?, String)])
  func disagreeing(_ key: String, _ value: GGUFValue?, _ expected: String) throws {
    let folder = try TemporaryFolder()
    let parts = try split(into: folder)
    try rewrite(parts[2], [(key, value)])
    let message = try failure(parts[0])
    #expect(message.hasPrefix("m-00003-of-00005.gguf: field \(key): \(expected). Hint: "), "\(message)")
  }

  @Test func tensorsThatDoNotAddUp() throws {
    let folder = try TemporaryFolder()
    let parts = try split(into: folder)
    let lost = try #require(try GGUFFile(parts[3]).header.tensors.first?.name)
    try rewrite(parts[3], []) { $0.name != lost }
    #expect(
      try failure(parts[0]).hasPrefix(
        "m-00001-of-00005.gguf: field split.tensors.count: expected 70 tensors in all parts, found 69. Hint: "))
    try FileManager.default.removeItem(at: parts[3])
    try FileManager.default.copyItem(at: parts[2], to: parts[3])
    try rewrite(parts[3], [("split.no", .uint16(3))])
    let twice = try #require(try GGUFFile(parts[2]).header.tensors.first?.name)
    #expect(
      try failure(parts[0]).hasPrefix(
        "m-00004-of-00005.gguf: tensor \(twice): expected each tensor in one part, found it in m-00003-of-00005.gguf"))
    try rewrite(parts[0], [("split.tensors.count", nil)])
    #expect(
      try failure(parts[0]).hasPrefix(
        "m-00001-of-00005.gguf: field split.tensors.count: expected the number of tensors in all parts, found nothing.")
    )
  }

  @Test func whatIsThereStays() throws {
    let folder = try TemporaryFolder()
    try folder.put("text", "m-00003-of-00005.gguf")
    let error = #expect(throws: CheckpointError.self) { try split(into: folder) }
    #expect(error?.subject == "output" && error?.file.hasSuffix("m-00003-of-00005.gguf") == true)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["m-00003-of-00005.gguf"])
  }

  /// Damaged parts are refused or opened, never a crash; what opens can be counted.
  @Test func damagedParts() throws {
    let folder = try TemporaryFolder()
    let parts = try split(into: folder)
    // Small parts with their headers; the data need not be there to be mapped.
    let originals = try parts[..<2].map { url in (url, Array(try Data(contentsOf: url)), try GGUFFile(url).header) }
    let words = ["split.no", "split.count", "split.tensors.count", ".weight", "blk.", "\u{5}\u{0}", "\u{4}\u{0}\u{0}"]
    var mutator = Mutator(seed: 33, words: words)
    var accepted = 0
    for round in 0..<fuzzCount(300) {
      let (url, bytes, header) = originals[round % 2]
      var start = Array(bytes[..<header.dataStart])
      if round % 4 < 2 {
        start[mutator.random.below(start.count)] = UInt8(truncatingIfNeeded: mutator.random.next())
      } else {
        start = mutator.mutated(start)
      }
      try Data(start).write(to: url)
      #expect(truncate(url.path, off_t(bytes.count)) == 0)
      do {
        let checkpoint = try Checkpoint.open(folder.url, allowsMissingParts: true)
        accepted += 1
        #expect(checkpoint.storedSizes().total > 0)
      } catch {
        #expect(error is CheckpointError)
      }
      try Data(bytes).write(to: url)
    }
    #expect(accepted > 5)
  }
}
