import Foundation

/// What the small files of a prepared model say.
struct PreparedFacts {
  let configuration: ModelConfiguration
  let generationDefaults: GenerationDefaults
  /// Where the source was a GGUF file.
  let metadata: GGUFMetadata?
  /// Where the model runs as that file was stored.
  let storedTypes: StoredTypes?

  init(_ folder: URL, _ manifest: PreparedManifest) throws {
    let names = manifest.files.map(\.name)
    guard let name = [PreparedFolder.metadata, PreparedFolder.configuration].first(where: names.contains),
      let entry = manifest.files.first(where: { $0.name == name })
    else { throw Fields.damaged("files", "config.json or metadata.gguf", "neither") }
    let url = folder.appending(path: name)
    let found = Digest(of: try readSmallFile(url, name: name))
    guard found == entry.hash else {
      throw CheckpointError(
        file: name, subject: "sha256", expected: "\(entry.hash), as \(PreparedManifest.fileName) says",
        found: "\(found)", hint: "Copy the file again, or prepare the model again.")
    }
    guard name == PreparedFolder.metadata else {
      configuration = try ModelConfiguration.read(url).configuration
      generationDefaults = try GenerationDefaults(folder: folder, vocabulary: configuration.vocabularySize)
      (metadata, storedTypes) = (nil, nil)
      return
    }
    let file = try GGUFFile(url)
    configuration = try ModelConfiguration(
      file.header.metadata, tiesEmbeddings: manifest.source.tiesEmbeddings,
      hasGateBias: manifest.bundles.first { $0.name == .gates }?.tensors.contains {
        $0.name.hasSuffix(".e_score_correction_bias")
      } ?? false, file: name)
    generationDefaults = try GenerationDefaults(file.header.metadata, file: name)
    metadata = file.header.metadata
    storedTypes = try StoredTypes(file.header.metadata, configuration, file: name)
  }
}
