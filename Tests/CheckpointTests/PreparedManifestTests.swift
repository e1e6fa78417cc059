import Checkpoint
import Foundation
import Kernels
import TestSupport
import Testing

@Suite("Manifests of prepared models")
struct PreparedManifestTests {
  private let manifest = PreparedManifest(
    version: "1", formats: "bf16",
    source: PreparedSource(
      name: "m", fingerprint: "\(Digest(of: [1]))", sample: Digest(of: [2]), tiesEmbeddings: false),
    files: [.init(name: "config.json", bytes: 2, hash: Digest(of: [3]))],
    bundles: [
      PreparedBundle(
        name: .dense,
        laying: [
          ("a", .rows(.f32), [5], 20), ("b", .panels(.bf16), [40, 8], 512),
          ("c", .panels(.q8_0), [2, 16, 32], 1152),
        ])
    ])

  @Test("Tensors lie aligned behind the header, in pieces")
  func layout() {
    let tensors = manifest.bundles[0].tensors
    #expect(tensors.map(\.offset) == [4096, 4160, 4928])
    #expect(tensors.map(\.bytes) == [20, 768, 2 * 576])
    #expect(tensors.map(\.hashes.count) == [1, 2, 1])
    #expect(tensors[1].range(ofPiece: 1) == 4672..<4928)
  }

  @Test("What is written is read") func roundTrip() throws {
    #expect(try PreparedManifest(bytes: manifest.json) == manifest)
    #expect(ManifestText.read(manifest.json) == manifest)
    #expect(try PreparedManifest(anyText: manifest.json) == manifest)
    // Spaces are JSON, and not what is written.
    let spaced = Array(
      String(decoding: manifest.json, as: UTF8.self).replacing("\"piece\":", with: "\"piece\" : ").utf8)
    #expect(ManifestText.read(spaced) == nil)
    #expect(try PreparedManifest(bytes: spaced) == manifest)
  }

  @Test(
    "Each impossible field is named",
    arguments: [
      ("\"flotilla_prepared\":1", "\"flotilla_prepared\":2", "flotilla_prepared"), ("\"dense\"", "\"sparse\"", "name"),
      ("\"offset\":4160", "\"offset\":4096", "tensor b"), ("\"bytes\":768", "\"bytes\":769", "bytes"),
      ("\"piece\":512", "\"piece\":0", "piece"), ("\"piece\":512", "\"piece\":300", "sha256"),
      ("\"shape\":[40,8]", "\"shape\":[40,9223372036854775807]", "shape"),
      ("\"format\":\"bf16\"", "\"format\":\"x\"", "format"),
      ("\"panels\"", "\"heaps\"", "layout"), ("\"version\"", "\"vision\"", "vision"),
      ("\"config.json\"", "\"../etc\"", "name"), ("\"digest\":\"", "\"digest\":\"0", "digest"),
      ("\"name\":\"c\"", "\"name\":\"b\"", "tensors"),
    ])
  func bad(text: String, replacement: String, field: String) throws {
    let json = String(decoding: manifest.json, as: UTF8.self)
    let range = try #require(json.range(of: text))
    let changed = json.replacingCharacters(in: range, with: replacement)
    let error = try #require(throws: CheckpointError.self) { try PreparedManifest(bytes: Array(changed.utf8)) }
    #expect(error.file == "manifest.json" && error.subject.contains(field), "\(error)")
  }

  @Test("Mutated manifests give errors or manifests, and the same by both ways of reading") func mutations() {
    let original = manifest.json
    var mutator = Mutator(
      seed: 5,
      words: ["\"name\":\"c\"", "],\"piece\":1", "\"sha256\":[", "\"shape\":[2,16,32]", "}]}]}\n", "01", "768"])
    var read = 0
    for round in 0..<fuzzCount(20_000) {
      var bytes = original
      if round % 2 == 0 {
        bytes = mutator.mutated(original)
      } else {
        // One character: some of these are still manifests.
        bytes[mutator.random.below(bytes.count)] = UInt8(32 + mutator.random.below(95))
      }
      do {
        let manifest = try PreparedManifest(anyText: bytes)
        read += 1
        #expect(ManifestText.read(bytes).map { $0 == manifest } ?? true)
      } catch {
        #expect(error is CheckpointError)
        #expect(ManifestText.read(bytes) == nil)
      }
    }
    #expect(read > 100)
  }

  @Test("What a journal forgets stays forgotten; what others want of it is kept") func forgetting() throws {
    let folder = try TemporaryFolder()
    let subject = PreparationSubject(version: "1", formats: "bf16", source: manifest.source)
    func piece(_ bundle: BundleName, _ index: Int) -> PreparationJournal.Piece {
      .init(bundle: bundle, tensor: 0, piece: index)
    }
    let digest = Digest(of: [9])
    do {
      let journal = try PreparationJournal(folder: folder.url, subject: subject)
      try journal.add([(piece(.dense, 0), digest), (piece(.expert(7), 0), digest)])
      try journal.forget(.dense)
      try journal.add([(piece(.dense, 1), digest)])
    }
    do {
      let journal = try PreparationJournal(folder: folder.url, subject: subject)
      #expect(journal.finished == [piece(.dense, 1): digest, piece(.expert(7), 0): digest])
      try journal.conclude([.dense])
    }
    let last = try PreparationJournal(folder: folder.url, subject: subject)
    #expect(last.finished == [piece(.expert(7), 0): digest])
    try last.conclude([.expert(7)])
    #expect(!FileManager.default.fileExists(atPath: folder[".preparation"].path))
  }

  @Test("A disk that is too small: told with the reserve, and nothing is left") func smallDisk() throws {
    let folder = try TemporaryFolder()
    let huge = PreparedBundle(
      name: .dense, laying: [("a", .rows(.f32), [1 << 20, 1 << 26], 1 << 48)])
    let error = try #require(throws: CheckpointError.self) {
      try BundleWriter(
        folder["new/model"], bundles: [huge],
        subject: PreparationSubject(version: "1", formats: "f32", source: manifest.source),
        checks: .init(pool: ThreadPool(threads: 1)) { _, _ in })
    }
    #expect(error.isOfDisk && error.expected.hasSuffix("of free space and 64.0 MiB in reserve"), "\(error)")
    #expect(!FileManager.default.fileExists(atPath: folder["new"].path))
  }

  /// A child that is being started has a copy of the descriptor; it keeps no folder busy.
  private func released(_ folder: URL, _ subject: PreparationSubject) throws {
    var journal: PreparationJournal? = try PreparationJournal(folder: folder, subject: subject)
    let copies = try DescriptorCopies(of: folder.appending(path: ".preparation").path(percentEncoded: false))
    #expect(copies.count == 1)
    withExtendedLifetime(journal) {}
    journal = nil
    try withExtendedLifetime(copies) { try PreparationJournal.requireIdle(in: folder) }
  }

  @Test("A journal forgets its torn end and refuses another subject") func journal() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "journal-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let subject = PreparationSubject(version: "1", formats: "bf16", source: manifest.source)
    let piece = PreparationJournal.Piece(bundle: .expert(7), tensor: 3, piece: 0)
    do {
      let journal = try PreparationJournal(folder: folder, subject: subject)
      try journal.add([(piece, Digest(of: [9]))])
      #expect(throws: CheckpointError.self) { try PreparationJournal(folder: folder, subject: subject) }
      #expect(throws: CheckpointError.self) { try PreparationJournal.requireIdle(in: folder) }
    }
    try released(folder, subject)
    let file = try FileHandle(forWritingTo: folder.appending(path: ".preparation"))
    try file.seekToEnd()
    try file.write(contentsOf: Data("dense 0 0 12".utf8))
    try file.close()
    do {
      let journal = try PreparationJournal(folder: folder, subject: subject)
      #expect(journal.finished == [piece: Digest(of: [9])])
      try journal.add([(.init(bundle: .dense, tensor: 0, piece: 0), Digest(of: [8]))])
    }
    #expect(try PreparationJournal(folder: folder, subject: subject).finished.count == 2)
    let other = PreparationSubject(version: "1", formats: "q8_0", source: manifest.source)
    let error = try #require(throws: CheckpointError.self) { try PreparationJournal(folder: folder, subject: other) }
    #expect(error.expected.contains("bf16") && error.found.contains("q8_0"))
  }
}
