import Foundation
import StrictJSON

/// A tokenizer as plain lists, as GGUF files hold it: the written forms of all ids, the merges, a name for the split
/// patterns, and the chat template.
public struct TokenizerTables: Sendable, Equatable {
  public enum Kind: Sendable, Equatable {
    /// Of the vocabulary proper, in the byte alphabet.
    case normal
    /// An added token that carries meaning and is not shown.
    case control
    /// An added token that is text.
    case userDefined
    /// An id without an entry.
    case unused
  }

  /// By id.
  public var tokens: [String]
  public var kinds: [Kind]
  /// `"left right"`, best first.
  public var merges: [String]
  /// llama.cpp's name for the split patterns; those of this family are known.
  public var preTokenizer: String
  /// Ids by the names of tokenizer_config.json: `bos_token`, `eos_token`, ….
  public var special: [String: Int]
  /// Whether BOS goes before, and EOS behind, a plain text.
  public var addsBOS: Bool
  public var addsEOS: Bool
  public var chatTemplate: String?

  /// By llama.cpp's names: of V3 and R1; of V2, V2.5 and Coder-V2; of the first DeepSeek-Coder. Where llama.cpp lets
  /// digits stand together, these go by the tokenizer.json, which parts them.
  static let patterns: [String: [SplitPattern]] = [
    "deepseek-v3": [.digits, .ideographs, .words],
    "deepseek-llm": [.lineEnd, .listedLetters, .listedSigns, .trailingSpace, .eastAsian, .digit],
    "deepseek-coder": [.lineEnd, .letters, .punctuation, .eastAsian, .digit],
  ]

  public init(
    tokens: [String], kinds: [Kind], merges: [String], preTokenizer: String, special: [String: Int], addsBOS: Bool,
    addsEOS: Bool, chatTemplate: String?
  ) {
    self.tokens = tokens
    self.kinds = kinds
    self.merges = merges
    self.preTokenizer = preTokenizer
    self.special = special
    self.addsBOS = addsBOS
    self.addsEOS = addsEOS
    self.chatTemplate = chatTemplate
  }
}

// MARK: - From a folder

extension TokenizerTables {
  /// The tables of a checkpoint folder's tokenizer, which is checked as for running.
  ///
  /// - Parameter vocabularySize: ids of the model; those beyond the tokenizer's are unused.
  /// - Throws: `TokenizationError` naming file and field, also for what the tables cannot express.
  public init(folder: URL, vocabularySize: Int) throws {
    let tokenizer = try Tokenizer(folder: folder)
    let file = folder.appending(path: "tokenizer.json")
    let root = JSONReader(try StrictJSON.parse(try Tokenizer.contents(of: file)), source: file.path)
    guard tokenizer.vocabularySize <= vocabularySize else {
      throw root["model"]["vocab"].error(
        "expected at most \(vocabularySize) ids, as the model has, found \(tokenizer.vocabularySize)")
    }
    guard let name = Self.patterns.first(where: { $0.value == tokenizer.patterns })?.key else {
      throw root["pre_tokenizer"]["pretokenizers"].error(
        "expected the patterns of DeepSeek-V3 or V2, which GGUF files know by name, found others")
    }
    tokens = (0..<vocabularySize).map { "[PAD\($0)]" }
    kinds = [Kind](repeating: .unused, count: vocabularySize)
    for (text, id) in try root["model"]["vocab"].object().members {
      guard let id = id.int else { continue }
      tokens[id] = text.text
      kinds[id] = .normal
    }
    for token in root["added_tokens"].isAbsent ? [] : try root["added_tokens"].array() {
      let id = try token["id"].id(below: vocabularySize)
      tokens[id] = try token["content"].string().text
      let isSpecial = try token["special"].bool(default: false)
      kinds[id] = isSpecial || Self.looksSpecial(tokens[id]) ? .control : .userDefined
    }
    merges = try root["model"]["merges"].array().map(Self.merge)
    preTokenizer = name
    special = tokenizer.specialIDs
    addsBOS = tokenizer.bosToken.map { tokenizer.prefix == [$0] } ?? false
    addsEOS = tokenizer.eosToken.map { tokenizer.suffix == [$0] } ?? false
    chatTemplate = tokenizer.templateText
  }

  /// Markers such as `<｜User｜>`, which tokenizer.json calls ordinary, are control tokens in GGUF files.
  private static func looksSpecial(_ text: String) -> Bool {
    let scalars = text.unicodeScalars
    return [("<|", "|>"), ("<\u{FF5C}", "\u{FF5C}>")].contains { start, end in
      scalars.starts(with: start.unicodeScalars) && scalars.reversed().starts(with: end.unicodeScalars.reversed())
    }
  }

  private static func merge(_ item: JSONReader) throws -> String {
    if let text = item.value?.string { return text }
    let parts = try item.array().map { try $0.string() }
    guard parts.count == 2, !parts.contains(where: { $0.utf8.contains(0x20) }) else {
      throw item.error("expected two tokens without spaces")
    }
    return parts.map(\.text).joined(separator: " ")
  }
}
