import ArgumentParser
import Checkpoint
import Foundation
import Inference

/// Which model: MODEL or `-m`, or the built-in one.
struct ModelArgument: ParsableArguments {
  @Argument(
    help: """
      Hugging Face folder of a checkpoint, a GGUF file or a prepared model. Without one, or with the name Abacus: the \
      small built-in model.
      """)
  var model: String?

  @Option(
    name: [.customShort("m"), .customLong("model")],
    help: ArgumentHelp("The same as MODEL.", valueName: "model"))
  var modelOption: String?

  func validate() throws { try Self.check(model, modelOption) }

  /// What was given; nil: the built-in model.
  var path: String? { model ?? modelOption }

  /// The folder that was given, or that of the built-in model.
  ///
  /// - Throws: `BuiltInModelError` where that is not installed.
  func url() throws -> URL { try Self.url(path) }

  /// For commands with the same two options under another description.
  static func check(_ model: String?, _ option: String?) throws {
    if model != nil, option != nil {
      throw ValidationError("MODEL was given twice: as an argument and with -m. Leave one of them out.")
    }
    if (model ?? option)?.isEmpty == true {
      throw ValidationError("MODEL is empty: expected the path of a checkpoint.")
    }
  }

  /// A path, or the name of the built-in model where nothing else is called so.
  static func url(_ path: String?) throws -> URL {
    guard let path, !BuiltInModel.isNamed(path) || FileManager.default.fileExists(atPath: path) else {
      return try BuiltInModel.folder()
    }
    return URL(filePath: path)
  }

  /// Says that a published model is not here; nil where there is something, or the name is none.
  static func absence(_ path: String) -> String? {
    guard !FileManager.default.fileExists(atPath: path), let model = PublishedModel(named: path) else { return nil }
    return "\(model.name) is not here; flotilla inspect \(model.name) shows what to fetch"
  }
}
