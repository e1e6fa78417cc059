import Checkpoint
import Foundation
import Inference
import Kernels
import StrictJSON

/// The shape of a model without its weights: one with a name, or what a config.json says.
struct ModelShape {
  let name: String
  let configuration: ModelConfiguration
  /// The type of weights that are not FP8, as PyTorch calls it; nil where nothing says.
  let dtype: String?
  /// What is published under that name.
  private(set) var published: PublishedModel?

  init(_ published: PublishedModel) {
    self.init(name: published.name, configuration: published.configuration, dtype: nil)
    self.published = published
  }

  /// - Parameters:
  ///   - like: a config.json, a folder that holds one, or the name of a published model, a preset or the built-in model,
  ///     in any case.
  ///   - option: what it was given as.
  /// - Throws: `CheckpointError`, `BuiltInModelError`, or ``UsageError`` naming the option.
  init(like: String, option: String = "--like") throws {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: like, isDirectory: &isFolder) else {
      if let published = PublishedModel(named: like) {
        self.init(published)
      } else if let preset = ModelConfiguration.Preset(rawValue: like.lowercased()) {
        self.init(name: preset.rawValue, configuration: preset.configuration, dtype: nil)
      } else if BuiltInModel.isNamed(like) {
        try self.init(configuration: BuiltInModel.folder().appending(path: "config.json"))
      } else {
        let names = (ModelConfiguration.Preset.allCases.map(\.rawValue) + [BuiltInModel.name]).joined(separator: ", ")
        throw UsageError(
          "\(option): expected a config.json, a published model or one of \(names), found \"\(like)\"",
          hint: "Check the path. Published: \(PublishedModel.names)")
      }
      return
    }
    let url = URL(filePath: like)
    try self.init(configuration: isFolder.boolValue ? url.appending(path: "config.json") : url)
  }

  /// From a config.json; the name is that of its folder.
  init(configuration file: URL) throws {
    let (configuration, bytes) = try ModelConfiguration.read(file)
    let json = try StrictJSON.parse(bytes)
    self.init(
      name: file.standardizedFileURL.deletingLastPathComponent().lastPathComponent, configuration: configuration,
      dtype: (json["torch_dtype"] ?? json["dtype"])?.string)
    published = PublishedModel.alike(configuration).first { $0.name.lowercased() == name.lowercased() }
  }

  private init(name: String, configuration: ModelConfiguration, dtype: String?) {
    self.name = name
    self.configuration = configuration
    self.dtype = dtype
  }

  /// What `--quant auto` would run a checkpoint in that is stored as the configuration says.
  var naturalFormat: WeightFormat {
    if configuration.quantizationBlock == .fp8 { return .fp8 }
    return configuration.quantizationBlock == nil && (dtype ?? "bfloat16") == "bfloat16" ? .bf16 : .f32
  }

  /// The shape of a folder that holds a config.json and no weights yet; nil for any other.
  init?(folderWithoutWeights folder: URL) throws {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path(percentEncoded: false))) ?? []
    let hasWeights = names.contains {
      $0.contains(".safetensors") || $0.hasSuffix(".gguf") || $0 == PreparedManifest.fileName
    }
    guard names.contains("config.json"), !hasWeights else { return nil }
    try self.init(configuration: folder.appending(path: "config.json"))
  }
}

extension PublishedModel {
  /// All of them, for people.
  static var names: String { all.map(\.name).joined(separator: ", ") }
}
