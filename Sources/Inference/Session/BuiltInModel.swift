import Foundation

/// The small model that comes with flotilla, for use without a checkpoint.
public enum BuiltInModel {
  /// The folder that SwiftPM makes for this target's resources, beside the executable.
  private static let bundle = "Flotilla_Inference.resources"
  /// What commands call it, and its folder.
  public static let name = "Abacus"

  /// Whether a text is its name, in any case.
  public static func isNamed(_ text: String) -> Bool { text.lowercased() == name.lowercased() }

  /// The model's folder: below `FLOTILLA_MODELS` where that is set, else beside the executable.
  ///
  /// - Throws: ``BuiltInModelError`` where it is not there.
  public static func folder(
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws(BuiltInModelError) -> URL {
    let places = places(environment)
    for place in places {
      let folder = place.appending(path: name)
      let configuration = folder.appending(path: "config.json").path(percentEncoded: false)
      if FileManager.default.fileExists(atPath: configuration) { return folder }
    }
    throw BuiltInModelError(places: places.map { $0.path(percentEncoded: false) })
  }

  private static func places(_ environment: [String: String]) -> [URL] {
    if let models = environment["FLOTILLA_MODELS"], !models.isEmpty { return [URL(filePath: models)] }
    // The kernel's own answer, links resolved: what argv[0] says depends on the caller.
    guard let executable = OwnProgram.path else {
      return []
    }
    return [URL(filePath: executable).deletingLastPathComponent().appending(path: bundle)]
  }
}

/// The built-in model was not installed with the executable.
public struct BuiltInModelError: Error, CustomStringConvertible, Equatable {
  /// Where it was looked for.
  public let places: [String]

  public var description: String {
    let found = places.isEmpty ? "no place to look in" : "nothing in " + places.joined(separator: " or ")
    return "built-in model: expected the folder Abacus beside the executable or in FLOTILLA_MODELS, found \(found). "
      + "Hint: name a MODEL, or set FLOTILLA_MODELS to the folder that holds Abacus"
  }
}
