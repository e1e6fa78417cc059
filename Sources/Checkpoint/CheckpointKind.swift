import Foundation

/// What lies at the path of a checkpoint.
enum CheckpointKind {
  case folder
  /// A file, or a part of a split one.
  case gguf(URL)
  /// The folder of a prepared model.
  case prepared

  /// Says early what is no checkpoint, and what to give instead.
  init(_ location: URL) throws {
    let path = location.path(percentEncoded: false)
    func wrong(_ found: String, _ hint: String) -> CheckpointError {
      CheckpointError(
        file: path, subject: "checkpoint",
        expected: "a Hugging Face checkpoint folder, a GGUF file or a prepared model", found: found,
        hint: hint)
    }
    let place = "Give the folder that holds config.json and the safetensors files"
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw wrong("nothing", Self.hint(location.lastPathComponent))
    }
    guard isFolder.boolValue else {
      guard try GGUFFile.isGGUF(location) else { throw wrong("a file", "\(place), or a GGUF file.") }
      self = .gguf(location)
      return
    }
    if PreparedFolder.isPrepared(location) {
      self = .prepared
      return
    }
    if PreparationJournal.exists(in: location) {
      throw wrong(
        "a prepared model that is not finished", "Give flotilla prepare the same arguments again: it goes on.")
    }
    if PreparedFolder.exists(PreparedFolder.pushStage, in: location) {
      throw wrong(
        "a prepared model that an unfinished push brings", "Run the same flotilla push again: it goes on.")
    }
    let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    // Folders of GGUF files have a config.json at times.
    if !names.contains(where: { $0.contains(".safetensors") }), let file = try Self.onlyModel(names, path) {
      self = .gguf(location.appending(path: file))
      return
    }
    guard names.contains("config.json") else {
      if names.contains("snapshots") {
        throw wrong("a folder of the hub's cache", "Give one of the folders in its snapshots folder.")
      }
      if names.contains(where: { $0.hasSuffix(".bundle") }) {
        throw wrong(
          "bundles without \(PreparedManifest.fileName)",
          "It says what they hold: flotilla push brings it, or copy it from where the model was prepared.")
      }
      throw wrong("a folder without config.json", "\(place).")
    }
    self = .folder
  }

  /// What to do about a path that leads nowhere, by its last part.
  private static func hint(_ name: String) -> String {
    guard name.lowercased().hasPrefix("deepseek"), let model = PublishedModel(named: name) else {
      return "Check the path."
    }
    return "\(model.name) is not here; flotilla inspect \(model.name) shows what to fetch."
  }

  /// The first file of the one GGUF model in a folder; nil where there is none.
  private static func onlyModel(_ names: [String], _ folder: String) throws -> String? {
    let files = names.filter { $0.hasSuffix(".gguf") && !$0.hasPrefix(".") }
    // Parts of a model by its first part.
    let models = Dictionary(grouping: files) { GGUFPartName($0)?.part(1).text ?? $0 }
    guard models.count > 1 else { return models.first?.value.min() }
    let shown = models.keys.sorted()
    throw CheckpointError(
      file: folder, subject: "checkpoint", expected: "one GGUF model in the folder",
      found: "\(models.count): \(shown.prefix(5).joined(separator: ", "))\(shown.count > 5 ? ", …" : "")",
      hint: "Give the path of the file that is meant; of a split model, of any part.")
  }
}
