/// A model of the family as its makers publish it, and how to ask for it by name. Facts for people: nothing here is
/// fetched, and nothing depends on it but what `inspect` prints.
public struct PublishedModel: Sendable, Equatable {
  /// A quantised copy as a GGUF file, in one part or several, made by others.
  public struct Quantised: Sendable, Equatable {
    public let repository: String
    /// Which of its files, as a pattern or a name.
    public let files: String
    public let count: Int
    public let mix: GGUFMix

    /// The model among the files of the repository: the folder of its parts, or its one file.
    public var path: String { files.hasSuffix("/*") ? String(files.dropLast(2)) : files }
  }

  /// As its makers call it: "DeepSeek-R1".
  public let name: String
  public let preset: ModelConfiguration.Preset
  /// How many safetensors files the official repository has, where that is known.
  public let files: Int?
  /// Bytes of those files where they are known; else only what the architecture tells.
  public let bytes: Int?
  public let quantised: Quantised?

  init(
    _ name: String, _ preset: ModelConfiguration.Preset, files: Int? = nil, bytes: Int? = nil,
    quantised: Quantised? = nil
  ) {
    self.name = name
    self.preset = preset
    self.files = files
    self.bytes = bytes
    self.quantised = quantised
  }

  /// Where the official files are, as the Hugging Face hub names it.
  public var repository: String { Self.owner + name }

  private static let owner = "deepseek-ai/"
}

extension PublishedModel {
  /// The published models that run, by size and age.
  public static let all: [PublishedModel] = [
    PublishedModel("DeepSeek-V2-Lite", .v2Lite, files: 4),
    PublishedModel("DeepSeek-V2-Lite-Chat", .v2Lite, files: 4),
    PublishedModel(
      "DeepSeek-Coder-V2-Lite-Instruct", .v2Lite, files: 4,
      quantised: Quantised(
        repository: "bartowski/DeepSeek-Coder-V2-Lite-Instruct-GGUF",
        files: "DeepSeek-Coder-V2-Lite-Instruct-Q4_K_M.gguf", count: 1, mix: .q4_K_M)),
    PublishedModel("DeepSeek-V2-Chat", .v2, files: 55),
    PublishedModel("DeepSeek-Coder-V2-Instruct", .v2, files: 55),
    PublishedModel("DeepSeek-V3-Base", .r1, files: 163),
    PublishedModel(
      "DeepSeek-V3", .r1, files: 163, bytes: 688_586_727_753,
      quantised: parts(of: "DeepSeek-V3", in: "DeepSeek-V3-Q4_K_M/*")),
    PublishedModel("DeepSeek-V3-0324", .r1, files: 163, quantised: parts(of: "DeepSeek-V3-0324", in: "Q4_K_M/*")),
    PublishedModel("DeepSeek-V3.1", .r1, quantised: parts(of: "DeepSeek-V3.1", in: "Q4_K_M/*")),
    PublishedModel("DeepSeek-R1", .r1, files: 163, quantised: parts(of: "DeepSeek-R1", in: "DeepSeek-R1-Q4_K_M/*")),
    PublishedModel("DeepSeek-R1-0528", .r1, quantised: parts(of: "DeepSeek-R1-0528", in: "Q4_K_M/*")),
  ]

  private static func parts(of name: String, in folder: String) -> Quantised {
    Quantised(repository: "unsloth/\(name)-GGUF", files: folder, count: 9, mix: .q4_K_M)
  }

  /// The model of a name in any case: "DeepSeek-R1", "deepseek-ai/deepseek-r1", "r1".
  public init?(named text: String) {
    let wanted = Self.key(text)
    guard let model = Self.all.first(where: { Self.key($0.name) == wanted }) else { return nil }
    self = model
  }

  /// What is left of a name without case, owner and family.
  private static func key(_ text: String) -> Substring {
    var key = text.lowercased()[...]
    for prefix in [owner, "deepseek-"] where key.hasPrefix(prefix) { key = key.dropFirst(prefix.count) }
    return key
  }

  /// Whether a name is meant as that of a repository of the makers of these models.
  public static func isRepository(_ text: String) -> Bool { text.lowercased().hasPrefix(owner) }
}
