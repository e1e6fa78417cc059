import Foundation
import StrictJSON

/// What `generation_config.json` recommends; nil where it says nothing.
public struct GenerationDefaults: Sendable, Equatable {
  /// False: greedy.
  public var sample: Bool?
  public var temperature: Double?
  public var topP: Double?
  public var topK: Int?
  public var minP: Double?
  public var repetitionPenalty: Double?
  /// Token ids that end a generation; nil: those of `config.json`.
  public var eosTokens: [Int]?

  public init() {}

  /// - Throws: ``CheckpointError`` naming the field.
  public init(json: JSONValue, file: String, vocabulary: Int) throws {
    var fields = try ConfigurationFields(json, file: file)
    sample = try fields.value("do_sample") == nil ? nil : fields.flag("do_sample", default: false)
    func number(_ name: String, _ bounds: ClosedRange<Double>) throws -> Double? {
      try fields.value(name) == nil ? nil : fields.number(name, bounds, default: nil)
    }
    temperature = try number("temperature", 0...100)
    topP = try number("top_p", 0...1)
    topK = try fields.value("top_k") == nil ? nil : fields.integer("top_k", 0...(1 << 24), default: nil)
    minP = try number("min_p", 0...1)
    repetitionPenalty = try number("repetition_penalty", 1e-3...1e3)
    if fields.value("eos_token_id") != nil {
      eosTokens = try fields.tokens("eos_token_id", vocabulary: vocabulary, default: [])
    }
  }

  /// Reads the file in `folder`; without one, nothing is recommended.
  init(folder: URL, vocabulary: Int) throws {
    let name = "generation_config.json"
    let url = folder.appending(path: name)
    guard FileManager.default.fileExists(atPath: url.path(percentEncoded: false)) else {
      self.init()
      return
    }
    let json = try parseJSON(try readSmallFile(url, name: name), file: name)
    try self.init(json: json, file: name, vocabulary: vocabulary)
  }
}
