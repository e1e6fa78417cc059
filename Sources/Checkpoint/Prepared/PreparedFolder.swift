import Foundation

/// The files of a prepared model besides its bundles and its manifest.
public enum PreparedFolder {
  static let configuration = "config.json"
  /// The header of the GGUF file that was the source: configuration and tokenizer.
  static let metadata = "metadata.gguf"

  /// The folder in it that holds what `flotilla push` has not finished.
  public static let pushStage = ".push"

  /// What a prepared folder takes over as it is, where the source has it.
  static let copied = [
    configuration, "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja",
  ]
  static let smallFiles = copied + [metadata]

  /// Whether a folder holds a prepared model.
  static func isPrepared(_ folder: URL) -> Bool { exists(PreparedManifest.fileName, in: folder) }

  static func exists(_ name: String, in folder: URL) -> Bool {
    FileManager.default.fileExists(atPath: folder.appending(path: name).path(percentEncoded: false))
  }

  /// Writes the small files that a prepared model needs.
  static func copySmallFiles(of checkpoint: Checkpoint, to folder: URL) throws -> [PreparedManifest.File] {
    guard let metadata = checkpoint.metadata else {
      return try copied.filter { exists($0, in: checkpoint.location) }.map { name in
        let bytes = try readSmallFile(checkpoint.location.appending(path: name), name: name)
        try Disk.replace(folder.appending(path: name), with: bytes)
        return PreparedManifest.File(name: name, bytes: bytes.count, hash: Digest(of: bytes))
      }
    }
    // The parts of a split file are none of the model's business.
    var kept = GGUFMetadata()
    for (key, value) in metadata.pairs where !key.hasPrefix("split.") { _ = kept.append(key, value) }
    for (key, value) in checkpoint.storedTypes?.metadata ?? [] { _ = kept.append(key, value) }
    let url = folder.appending(path: self.metadata)
    try GGUFWriter(url, metadata: kept, tensors: []).finish()
    let bytes = try readSmallFile(url, name: self.metadata)
    try Disk.replace(url, with: bytes)
    return [PreparedManifest.File(name: self.metadata, bytes: bytes.count, hash: Digest(of: bytes))]
  }
}
