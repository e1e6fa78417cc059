import Checkpoint
import Foundation
import Tokenization

extension Checkpoint {
  /// The tokenizer in the folder or the GGUF file; nil where there is none.
  ///
  /// - Throws: `TokenizationError` where it does not run.
  public func tokenizer() throws -> Tokenizer? {
    if let metadata {
      return try TokenizerTables(metadata, file: location.lastPathComponent)
        .map { try Tokenizer($0, source: location.lastPathComponent) }
    }
    return hasTokenizerFile ? try Tokenizer(folder: location) : nil
  }

  private var hasTokenizerFile: Bool {
    FileManager.default.fileExists(atPath: location.appending(path: "tokenizer.json").path(percentEncoded: false))
  }

  /// The metadata under which a GGUF file holds this checkpoint's tokenizer; without one, what lets llama.cpp run on
  /// token ids alone.
  ///
  /// - Throws: `TokenizationError` for what GGUF files cannot express.
  public func tokenizerMetadata() throws -> [(String, GGUFValue)] {
    if let metadata { return metadata.pairs.filter { $0.key.hasPrefix("tokenizer.") }.map { ($0.key, $0.value) } }
    guard hasTokenizerFile else { return [(TokenizerKeys.model, .string(TokenizerKeys.none))] }
    return try TokenizerTables(folder: location, vocabularySize: configuration.vocabularySize).metadata
  }
}

/// Keys of the tokenizer in GGUF files.
enum TokenizerKeys {
  static let model = "tokenizer.ggml.model"
  static let none = "none"
  /// Byte-level BPE.
  static let bytePairs = "gpt2"
  static let preTokenizer = "tokenizer.ggml.pre"
  static let tokens = "tokenizer.ggml.tokens"
  static let kinds = "tokenizer.ggml.token_type"
  static let merges = "tokenizer.ggml.merges"
  static let addsBOS = "tokenizer.ggml.add_bos_token"
  static let addsEOS = "tokenizer.ggml.add_eos_token"
  static let chatTemplate = "tokenizer.chat_template"
  /// By the names of tokenizer_config.json; the misspelt one is the format's.
  static let special: KeyValuePairs<String, String> = [
    "bos_token": "tokenizer.ggml.bos_token_id", "eos_token": "tokenizer.ggml.eos_token_id",
    "unk_token": "tokenizer.ggml.unknown_token_id", "sep_token": "tokenizer.ggml.seperator_token_id",
    "pad_token": "tokenizer.ggml.padding_token_id", "cls_token": "tokenizer.ggml.cls_token_id",
    "mask_token": "tokenizer.ggml.mask_token_id",
  ]
}

extension TokenizerTables.Kind {
  /// GGUF's numbers; 2 (unknown) and 6 (byte) belong to other kinds of tokenizers.
  fileprivate static let codes: [(code: Int, kind: TokenizerTables.Kind)] = [
    (1, .normal), (3, .control), (4, .userDefined), (5, .unused),
  ]
}

extension TokenizerTables {
  /// Nil where the file holds no tokenizer.
  ///
  /// - Throws: `TokenizationError` naming the key.
  init?(_ metadata: GGUFMetadata, file: String) throws {
    func wrong(_ key: String, _ expected: String) -> TokenizationError {
      let found: String = if let text = metadata[key]?.string { "\"\(text.prefix(100))\"" } else { "another" }
      let problem = "expected \(expected), found \(metadata[key] == nil ? "nothing" : found)"
      return TokenizationError(source: file, place: key, problem: problem)
    }
    func flag(_ key: String) throws -> Bool {
      guard let value = metadata[key] else { return false }
      guard let flag = value.bool else { throw wrong(key, "true or false") }
      return flag
    }
    switch metadata[TokenizerKeys.model]?.string {
    case nil where metadata[TokenizerKeys.model] == nil, TokenizerKeys.none, "no_vocab": return nil
    case TokenizerKeys.bytePairs: break
    default: throw wrong(TokenizerKeys.model, "gpt2 (byte-level BPE) or none")
    }
    guard let tokens = metadata[TokenizerKeys.tokens]?.strings else {
      throw wrong(TokenizerKeys.tokens, "a list of strings")
    }
    guard let merges = metadata[TokenizerKeys.merges]?.strings else {
      throw wrong(TokenizerKeys.merges, "a list of strings")
    }
    let kinds = try metadata[TokenizerKeys.kinds]?.numbers?.integers?.map { code in
      guard let kind = Kind.codes.first(where: { $0.code == code })?.kind else {
        throw wrong(TokenizerKeys.kinds, "1, 3, 4 or 5 for every token")
      }
      return kind
    }
    guard let kinds else { throw wrong(TokenizerKeys.kinds, "a list of integers") }
    guard let preTokenizer = metadata[TokenizerKeys.preTokenizer]?.string else {
      throw wrong(TokenizerKeys.preTokenizer, "a name")
    }
    var special: [String: Int] = [:]
    for (name, key) in TokenizerKeys.special where metadata[key] != nil {
      guard let id = metadata[key]?.integer, tokens.indices.contains(id) else {
        throw wrong(key, "an id below \(tokens.count)")
      }
      special[name] = id
    }
    let chatTemplate = metadata[TokenizerKeys.chatTemplate]
    guard chatTemplate == nil || chatTemplate?.string != nil else { throw wrong(TokenizerKeys.chatTemplate, "text") }
    self.init(
      tokens: tokens, kinds: kinds, merges: merges, preTokenizer: preTokenizer, special: special,
      addsBOS: try flag(TokenizerKeys.addsBOS), addsEOS: try flag(TokenizerKeys.addsEOS),
      chatTemplate: chatTemplate?.string)
  }

  /// As a GGUF file holds them, in the order of llama.cpp's converter.
  var metadata: [(String, GGUFValue)] {
    let codes = kinds.map { kind in Int32(Kind.codes.first { $0.kind == kind }?.code ?? 1) }
    var pairs: [(String, GGUFValue)] = [
      (TokenizerKeys.model, .string(TokenizerKeys.bytePairs)), (TokenizerKeys.preTokenizer, .string(preTokenizer)),
      (TokenizerKeys.tokens, .strings(tokens)), (TokenizerKeys.kinds, .numbers(GGUFNumbers(codes))),
      (TokenizerKeys.merges, .strings(merges)),
    ]
    for (name, key) in TokenizerKeys.special {
      if let id = special[name] { pairs.append((key, .uint32(UInt32(id)))) }
    }
    pairs += [(TokenizerKeys.addsBOS, .bool(addsBOS)), (TokenizerKeys.addsEOS, .bool(addsEOS))]
    if let chatTemplate { pairs.append((TokenizerKeys.chatTemplate, .string(chatTemplate))) }
    return pairs
  }
}
