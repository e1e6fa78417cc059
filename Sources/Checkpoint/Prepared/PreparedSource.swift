import Crypto
import StrictJSON

/// What a prepared model was made from.
public struct PreparedSource: Sendable, Equatable {
  /// Name of the folder or file.
  public let name: String
  /// ``Checkpoint/fingerprint``: configuration and headers.
  public let fingerprint: String
  /// Hash of some bytes of each file, which tells models of one shape apart.
  public let sample: Digest
  /// Whether the head is the embedding; a GGUF file's metadata do not say it.
  public let tiesEmbeddings: Bool

  package init(name: String, fingerprint: String, sample: Digest, tiesEmbeddings: Bool) {
    self.name = name
    self.fingerprint = fingerprint
    self.sample = sample
    self.tiesEmbeddings = tiesEmbeddings
  }

  init(_ fields: Fields) throws {
    try fields.refuseOthers(["name", "fingerprint", "sample", "ties_embeddings"])
    name = try fields.text("name", most: 1000)
    fingerprint = "\(try fields.digest("fingerprint"))"
    sample = try fields.digest("sample")
    tiesEmbeddings = try fields.flag("ties_embeddings")
  }

  var json: JSONValue {
    .members([
      "name": .text(name), "fingerprint": .text(fingerprint), "sample": .text("\(sample)"),
      "ties_embeddings": .bool(tiesEmbeddings),
    ])
  }

  /// What differs from another source, in words; nil where nothing does. Names may differ.
  func difference(from other: PreparedSource) -> String? {
    if fingerprint != other.fingerprint { return "another configuration or other tensors" }
    if sample != other.sample { return "other weights" }
    return tiesEmbeddings == other.tiesEmbeddings ? nil : "a head that is tied otherwise"
  }
}

extension Checkpoint {
  /// What tells this checkpoint from others, its weights by a sample of them. Reads a few pages of each file.
  public func preparedSource() -> PreparedSource {
    let files = store.mappedFiles
    let spots = max(8, 64 / max(1, files.count))
    let hashes = files.map { file in file.touchingFew { Self.sample($0, spots: spots) } }
      .sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
    return PreparedSource(
      name: location.standardizedFileURL.lastPathComponent, fingerprint: fingerprint,
      sample: Digest(of: hashes.flatMap(\.bytes)), tiesEmbeddings: configuration.tiesEmbeddings)
  }

  private static let sampleBytes = 4096

  /// Size and evenly spread bytes of a file, those at its end among them.
  private static func sample(_ bytes: UnsafeRawBufferPointer, spots: Int) -> Digest {
    var hash = SHA256()
    withUnsafeBytes(of: UInt64(bytes.count).littleEndian) { hash.update(bufferPointer: $0) }
    let last = max(0, bytes.count - sampleBytes)
    for spot in 0..<spots {
      let start = Int((Double(last) * Double(spot) / Double(max(1, spots - 1))).rounded())
      let range = min(start, last)..<min(min(start, last) + sampleBytes, bytes.count)
      hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: bytes[range]))
    }
    return Digest(of: Array(hash.finalize()))
  }
}
