import Checkpoint
import DeepSeek
import Foundation
import Inference
import Reporting

/// What is looked at: a checkpoint, or a shape without weights.
enum Subject {
  case checkpoint(Checkpoint)
  case shape(ModelShape, note: String?)

  init(like: String?, _ argument: ModelArgument) throws {
    if let like {
      self = .shape(try ModelShape(like: like), note: nil)
      return
    }
    let url = try argument.url()
    if let path = argument.path, !BuiltInModel.isNamed(path), !FileManager.default.fileExists(atPath: path) {
      if let published = PublishedModel(named: path) {
        self = .shape(ModelShape(published), note: nil)
        return
      }
      guard path.contains("/") && !PublishedModel.isRepository(path) || path.hasSuffix(".gguf") else {
        throw UsageError(
          "MODEL: expected a checkpoint or the name of a published model, found \"\(path)\", a name that is not known, "
            + "and no file or folder \(url.path(percentEncoded: false))",
          hint: "Known are \(PublishedModel.names); for another give --like the path of its config.json")
      }
    }
    if let shape = try ModelShape(folderWithoutWeights: url) {
      self = .shape(shape, note: "no safetensors files in the folder: this is what config.json alone tells")
    } else {
      self = .checkpoint(try Checkpoint.open(url, allowsMissingParts: true))
    }
  }

  /// What `flotilla plan` takes: a checkpoint, a config.json or a folder that holds one, or a name.
  init(planning path: String) throws {
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
    if !exists && !BuiltInModel.isNamed(path) || exists && !isFolder.boolValue && path.hasSuffix(".json") {
      self = .shape(try ModelShape(like: path, option: "MODEL"), note: nil)
      return
    }
    let url = try ModelArgument.url(path)
    if let shape = try ModelShape(folderWithoutWeights: url) {
      self = .shape(shape, note: nil)
    } else {
      self = .checkpoint(try Checkpoint.open(url, allowsMissingParts: true))
    }
  }

  /// For people.
  var name: String {
    switch self {
    case .checkpoint(let checkpoint): checkpoint.location.standardizedFileURL.lastPathComponent
    case .shape(let shape, _): shape.name
    }
  }

  var configuration: ModelConfiguration {
    switch self {
    case .checkpoint(let checkpoint): checkpoint.configuration
    case .shape(let shape, _): shape.configuration
    }
  }

  func formats(_ quant: String) throws -> WeightFormats {
    switch self {
    case .checkpoint(let checkpoint): return try WeightFormats(quant: quant, for: checkpoint)
    case .shape(let shape, _):
      var formats = try WeightFormats(parsing: quant, natural: shape.naturalFormat)
      formats.followOfficial()
      return formats
    }
  }

  var prepared: PreparedStore? {
    guard case .checkpoint(let checkpoint) = self else { return nil }
    return checkpoint.prepared
  }

  /// Of a GGUF model.
  func runFacts(_ quant: String, requantizes: Bool, _ tokenizerError: (any Error)?) throws -> RunFacts? {
    guard case .checkpoint(let checkpoint) = self else { return nil }
    return try RunFacts(checkpoint, quant: quant, requantizes: requantizes, tokenizerError: tokenizerError)
  }

  func facts(_ run: RunFacts?, _ formats: WeightFormats, _ tokenizer: TokenizerState?) -> CheckpointFacts {
    switch self {
    case .checkpoint(let checkpoint): CheckpointFacts(checkpoint, run, formats, tokenizer ?? .none)
    case .shape(let shape, _): CheckpointFacts(shape, formats)
    }
  }

  var tokenizer: (state: TokenizerState, error: (any Error)?)? {
    guard case .checkpoint(let checkpoint) = self else { return nil }
    return TokenizerState.of(checkpoint)
  }

  var warning: String? {
    switch self {
    case .checkpoint(let checkpoint): checkpoint.warning
    case .shape(let shape, _): Checkpoint.warning(about: shape.configuration)
    }
  }

  var published: PublishedModel? {
    guard case .shape(let shape, _) = self else { return nil }
    return shape.published
  }

  var notes: [String] {
    guard case .shape(let shape, let note) = self else { return [] }
    let alike = shape.published == nil ? PublishedModel.alike(shape.configuration).map(\.name) : []
    let names = alike.joined(separator: ", ")
    let hint = alike.last.map { "models of this shape: \(names); flotilla inspect \($0) tells what to fetch" }
    return [note, hint].compactMap(\.self)
  }
}
