import Foundation
import StrictJSON

/// Byte-level BPE with added tokens and a chat template, from a checkpoint's own files.
///
/// Encoding has two modes. `encode(_: String)` is Hugging Face's: an added token's text anywhere becomes
/// that token. `encode(_: [TextSpan])` is the safe one: only the template's own markers become tokens.
public struct Tokenizer: Sendable {
  /// Ids of `bos_token` and `eos_token` of tokenizer_config.json.
  public let bosToken: Int?
  public let eosToken: Int?
  private let vocabulary: Vocabulary
  private let addedIDs: [JSONString: Int]
  private let encoder: Encoder
  /// Ids around a plain text.
  let prefix: [Int]
  let suffix: [Int]
  private let specialTokens: [(name: String, text: JSONString)]
  /// Parsed when the tokenizer is read, reported when a conversation needs it: plain completion works
  /// also where the template is beyond us.
  private let template: Result<ChatTemplate, TokenizationError>?
  /// The template as it was read.
  let templateText: String?

  /// Reads tokenizer.json and, where they exist, tokenizer_config.json and chat_template.jinja.
  ///
  /// - Throws: `TokenizationError` naming file and field.
  public init(folder: URL) throws {
    let config = folder.appending(path: "tokenizer_config.json")
    try self.init(
      tokenizerFile: folder.appending(path: "tokenizer.json"),
      configFile: FileManager.default.fileExists(atPath: config.path) ? config : nil)
  }

  /// - Throws: `TokenizationError` naming file and field.
  public init(tokenizerFile: URL, configFile: URL?) throws {
    let templateFile = (configFile ?? tokenizerFile).deletingLastPathComponent()
      .appending(path: "chat_template.jinja")
    let hasTemplate = FileManager.default.fileExists(atPath: templateFile.path)
    try self.init(
      tokenizer: try Self.contents(of: tokenizerFile), named: tokenizerFile.path,
      configuration: try configFile.map(Self.contents), named: configFile?.path ?? "",
      chatTemplate: hasTemplate ? try Self.contents(of: templateFile) : nil,
      named: hasTemplate ? templateFile.path : nil)
  }

  /// From the contents of the files; `chatTemplate` takes precedence over the configuration's.
  public init(tokenizer: Data, configuration: Data? = nil, chatTemplate: Data? = nil) throws {
    try self.init(
      tokenizer: tokenizer, named: "tokenizer.json", configuration: configuration,
      named: "tokenizer_config.json", chatTemplate: chatTemplate, named: nil)
  }

  private init(
    tokenizer: Data, named tokenizerName: String, configuration: Data?, named configName: String,
    chatTemplate: Data?, named templateName: String?
  ) throws {
    let file = try TokenizerFile(tokenizer, source: tokenizerName)
    let config =
      try configuration.map { try TokenizerConfiguration($0, source: configName) }
      ?? TokenizerConfiguration()
    vocabulary = file.vocabulary
    addedIDs = file.addedIDs
    encoder = Encoder(patterns: file.patterns, pairs: file.pairs, addedTokens: file.addedTokens)
    let id = { (name: String) throws(TokenizationError) -> Int? in
      guard let text = config.specialToken(name) else { return nil }
      guard let id = file.addedIDs[text] else {
        throw TokenizationError(
          source: configName, place: name,
          problem: "\(text.text.quoted()) is not an added token of \(tokenizerName)")
      }
      return id
    }
    bosToken = try id("bos_token")
    eosToken = try id("eos_token")
    prefix = try Self.affix(config.addsBOS, bosToken, else: file.prefix, "add_bos_token", configName)
    suffix = try Self.affix(config.addsEOS, eosToken, else: file.suffix, "add_eos_token", configName)
    specialTokens = config.specialTokens

    if let chatTemplate {
      let name = templateName ?? "chat_template.jinja"
      guard let text = String(validating: chatTemplate, as: UTF8.self) else {
        throw TokenizationError(source: name, place: "", problem: "not valid UTF-8")
      }
      template = ChatTemplate.parsing(text, source: name)
      templateText = text
    } else {
      let name = configName.isEmpty ? "chat template" : "\(configName): chat_template"
      template = config.chatTemplate.map { ChatTemplate.parsing($0, source: name) }
      templateText = config.chatTemplate
    }
  }

  /// From lists, as GGUF files hold them.
  ///
  /// - Parameter source: what errors call the file.
  /// - Throws: `TokenizationError` naming the metadata's key.
  public init(_ tables: TokenizerTables, source: String) throws {
    let file = try TokenizerFile(tables, source: source)
    for (name, id) in tables.special where !file.vocabulary.contains(id) {
      throw TokenizationError(source: source, place: name, problem: "expected an id with a token, found \(id)")
    }
    vocabulary = file.vocabulary
    addedIDs = file.addedIDs
    encoder = Encoder(patterns: file.patterns, pairs: file.pairs, addedTokens: file.addedTokens)
    (bosToken, eosToken) = (tables.special["bos_token"], tables.special["eos_token"])
    (prefix, suffix) = (file.prefix, file.suffix)
    specialTokens = tables.special.sorted { $0.key < $1.key }.map { ($0.key, JSONString(tables.tokens[$0.value])) }
    template = tables.chatTemplate.map { ChatTemplate.parsing($0, source: "\(source): tokenizer.chat_template") }
    templateText = tables.chatTemplate
  }

  private static func affix(
    _ wanted: Bool?, _ id: Int?, else other: [Int], _ field: String, _ source: String
  ) throws -> [Int] {
    guard let wanted else { return other }
    guard wanted else { return [] }
    guard let id else {
      throw TokenizationError(source: source, place: field, problem: "true, but the token is not named")
    }
    return [id]
  }

  static func contents(of file: URL) throws -> Data {
    if let data = FileManager.default.contents(atPath: file.path) { return data }
    var status = stat()
    let reason =
      if stat(file.path, &status) != 0 {
        errno == ENOENT ? "nothing" : String(cString: strerror(errno))
      } else if status.st_mode & S_IFMT == S_IFDIR {
        "a folder"
      } else {
        access(file.path, R_OK) == 0 ? "one that cannot be read" : String(cString: strerror(errno))
      }
    throw TokenizationError(source: file.path, place: "", problem: "expected a readable file, found \(reason)")
  }
}

// MARK: Ids

extension Tokenizer {
  /// Highest id with an entry, plus one. A model's vocabulary may be larger.
  public var vocabularySize: Int { vocabulary.count }

  /// Id of an added token by its text, compared by bytes.
  public func id(of addedToken: String) -> Int? { addedIDs[JSONString(addedToken)] }

  /// Whether `skipSpecial` leaves this id out.
  public func isSpecial(_ id: Int) -> Bool { vocabulary.isSpecial(id) }

  /// The split patterns, in order.
  var patterns: [SplitPattern] { encoder.patterns }

  /// Ids of the tokens that tokenizer_config.json names, where they are added tokens.
  var specialIDs: [String: Int] {
    Dictionary(specialTokens.compactMap { token in addedIDs[token.text].map { (token.name, $0) } }) { first, _ in first
    }
  }

  /// Raw bytes of one id, not always whole characters; empty where the id has no entry.
  public func bytes(of id: Int) -> [UInt8] { Array(vocabulary.bytes(of: id)) }
}

// MARK: Encoding

extension Tokenizer {
  /// Hugging Face's mode: added tokens count wherever their text occurs. No BOS is added.
  public func encode(_ text: String) -> [Int] {
    let bytes = Array(text.utf8)
    return encoder.encode(bytes.span, templateRanges: [0..<bytes.count])
  }

  /// The safe mode: added tokens count only inside what the template wrote, never across a border.
  /// Where no message holds an added token's text, the ids are those of the joined text.
  public func encode(_ spans: [TextSpan]) -> [Int] {
    var bytes: [UInt8] = []
    var ranges: [Range<Int>] = []
    for span in spans {
      let start = bytes.count
      bytes.append(contentsOf: span.text.utf8)
      guard span.origin == .template, start < bytes.count else { continue }
      if let last = ranges.last, last.upperBound == start {
        ranges[ranges.count - 1] = last.lowerBound..<bytes.count
      } else {
        ranges.append(start..<bytes.count)
      }
    }
    return encoder.encode(bytes.span, templateRanges: ranges)
  }

  /// A plain prompt, with the BOS (and EOS) that Hugging Face's `tokenizer(text)` puts around it.
  public func encodeCompletion(_ text: String) -> [Int] { prefix + encode(text) + suffix }

  /// As `encodeCompletion(_: String)`, for a text in which nothing becomes an added token.
  public func encodeCompletion(_ spans: [TextSpan]) -> [Int] { prefix + encode(spans) + suffix }
}

// MARK: Decoding

extension Tokenizer {
  /// Text of ids; ill-formed UTF-8 becomes U+FFFD, an id without an entry nothing.
  public func decode(_ ids: [Int], skipSpecial: Bool = false) -> String {
    var bytes: [UInt8] = []
    for id in ids where !(skipSpecial && vocabulary.isSpecial(id)) {
      bytes.append(contentsOf: vocabulary.bytes(of: id))
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  public func streamDecoder(skipSpecial: Bool = false) -> StreamDecoder {
    StreamDecoder(vocabulary: vocabulary, skipSpecial: skipSpecial)
  }
}

// MARK: Chat

extension Tokenizer {
  public var hasChatTemplate: Bool { template != nil }

  /// The prompt of a conversation, by the checkpoint's own chat template, BOS included.
  ///
  /// - Throws: `TokenizationError` where there is no template, it uses a construct outside the supported
  ///   part of Jinja, or it refuses the conversation.
  public func render(_ conversation: Conversation) throws -> [TextSpan] {
    guard let template else {
      throw TokenizationError(
        source: "chat template", place: "",
        problem: "this tokenizer has none; use a plain prompt, or add chat_template.jinja")
    }
    return try template.get().render(conversation, specialTokens: specialTokens)
  }

  /// A conversation by a template of the caller's, without any tokenizer's special tokens.
  ///
  /// - Throws: `TokenizationError` as `render(_:)` does.
  public static func render(_ conversation: Conversation, template: String) throws -> [TextSpan] {
    try ChatTemplate.parsing(template, source: "chat template").get()
      .render(conversation, specialTokens: [])
  }
}
