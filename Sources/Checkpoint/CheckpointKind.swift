import Foundation

/// What lies at the path of a checkpoint.
enum CheckpointKind {
  case folder
  case gguf
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
      throw wrong("nothing", "Check the path.")
    }
    guard isFolder.boolValue else {
      guard GGUFFile.isGGUF(path) else { throw wrong("a file", "\(place), or a GGUF file.") }
      self = .gguf
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
    let configuration = location.appending(path: "config.json").path(percentEncoded: false)
    guard FileManager.default.fileExists(atPath: configuration) else {
      let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
      if names.contains("snapshots") {
        throw wrong("a folder of the hub's cache", "Give one of the folders in its snapshots folder.")
      }
      guard let file = names.filter({ $0.hasSuffix(".gguf") }).min() else {
        throw wrong("a folder without config.json", "\(place).")
      }
      throw wrong("a folder with \(file)", "Give the path of that file.")
    }
    self = .folder
  }
}
