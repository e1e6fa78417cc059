import Foundation
import StrictJSON

/// What a tokenizer.json says, checked: byte-level BPE as DeepSeek-R1, V3 and V2 ship it.
struct TokenizerFile: Sendable {
  var vocabulary: Vocabulary
  var pairs: BytePairs
  var patterns: [SplitPattern]
  var addedTokens: AddedTokens
  /// Ids of added tokens by text; keys are bytes, as Swift's `String` compares canonically.
  var addedIDs: [JSONString: Int]
  /// Ids that the file's own post-processor puts around a text.
  var prefix: [Int]
  var suffix: [Int]

  /// - Throws: `TokenizationError` with the field, what was expected and what was found.
  init(_ data: Data, source: String) throws {
    let root: JSONValue
    do {
      root = try StrictJSON.parse(data)
    } catch {
      throw TokenizationError(source: source, place: "", problem: "not valid JSON: \(error)")
    }
    try self.init(JSONReader(root, source: source))
  }

  private init(_ root: JSONReader) throws {
    try Self.checkNormalizer(root["normalizer"])
    patterns = try Self.patterns(root["pre_tokenizer"])
    let decoder = root["decoder"]
    try decoder["type"].expect("ByteLevel")
    let model = root["model"]
    try Self.checkModel(model)
    let vocab = try model["vocab"].object()
    let added = try Self.added(root["added_tokens"])

    let count = try Self.idCount(vocab, model["vocab"], added, root["added_tokens"])
    vocabulary = Vocabulary(count: count)
    try Self.fill(&vocabulary, vocab: vocab, at: model["vocab"])
    pairs = BytePairs(
      bytes: try Self.byteIDs(vocab, at: model["vocab"]),
      merges: try Self.merges(model["merges"], vocab: vocab))

    addedIDs = [:]
    for token in added {
      let known = vocab[token.text]?.int
      guard known == nil || known == token.id, known != nil || !vocabulary.contains(token.id) else {
        throw token.place.error("id \(token.id) belongs to another entry")
      }
      vocabulary.set(token.id, to: token.text.utf8, special: token.special)
      guard addedIDs.updateValue(token.id, forKey: token.text) == nil else {
        throw token.place.error("\(token.text.text.quoted()) is added twice")
      }
    }
    addedTokens = AddedTokens(
      raw: added.filter { !$0.normalized }.map { ($0.text.utf8, $0.id) },
      normalized: added.filter(\.normalized).map { ($0.text.utf8, $0.id) })
    (prefix, suffix) = try Self.postProcessor(root["post_processor"], count: count)
  }
}

// MARK: Pipeline

extension TokenizerFile {
  private static func checkNormalizer(_ normalizer: JSONReader) throws {
    if normalizer.isAbsent { return }
    try normalizer["type"].expect("Sequence", hint: "R1's tokenizer does not normalise")
    let steps = try normalizer["normalizers"].array()
    guard steps.isEmpty else {
      throw steps[0].error("expected no normalizer, found \(steps[0]["type"].shown)")
    }
  }

  private static func patterns(_ preTokenizer: JSONReader) throws -> [SplitPattern] {
    try preTokenizer["type"].expect("Sequence")
    var steps = try preTokenizer["pretokenizers"].array()
    guard let last = steps.popLast() else {
      throw preTokenizer["pretokenizers"].error("expected Split steps and then ByteLevel, found none")
    }
    try last["type"].expect("ByteLevel", hint: "the last step of a byte-level tokenizer")
    try last["add_prefix_space"].expect(false)
    try last["use_regex"].expect(false)
    guard steps.count <= 16 else {
      throw preTokenizer["pretokenizers"].error("expected at most 16 Split steps, found \(steps.count)")
    }
    return try steps.map { step in
      if step["type"].value?.string == "Digits" {
        try step["individual_digits"].expect(true)
        return .digit
      }
      try step["type"].expect("Split")
      try step["behavior"].expect("Isolated")
      try step["invert"].expect(false)
      let expression = try step["pattern"]["Regex"].string()
      guard let pattern = SplitPattern(expression: expression.text) else {
        throw step["pattern"]["Regex"].error(
          "unknown pattern \(expression.text.quoted(limit: 300)); known are those of DeepSeek-R1, V3 and V2")
      }
      return pattern
    }
  }

  private static func checkModel(_ model: JSONReader) throws {
    try model["type"].expect("BPE")
    for field in ["dropout", "unk_token"] where !model[field].isAbsent {
      throw model[field].error("expected null, found \(model[field].shown)")
    }
    for field in ["continuing_subword_prefix", "end_of_word_suffix"] where !model[field].isAbsent {
      try model[field].expect("")
    }
    for field in ["byte_fallback", "ignore_merges"] where !model[field].isAbsent {
      try model[field].expect(false)
    }
  }

  /// Ids before and after a text; a ByteLevel step only moves offsets.
  private static func postProcessor(
    _ processor: JSONReader, count: Int
  ) throws -> (prefix: [Int], suffix: [Int]) {
    if processor.isAbsent { return ([], []) }
    let type = try processor["type"].string()
    switch type.text {
    case "ByteLevel": return ([], [])
    case "Sequence":
      var result: (prefix: [Int], suffix: [Int]) = ([], [])
      for step in try processor["processors"].array() {
        let inner = try step["type"].string()
        guard inner != "Sequence" else { throw step["type"].error("a Sequence inside a Sequence") }
        let (prefix, suffix) = try postProcessor(step, count: count)
        result = (prefix + result.prefix, result.suffix + suffix)
      }
      return result
    case "TemplateProcessing": return try template(processor, count: count)
    default:
      throw processor["type"].error(
        "expected ByteLevel, TemplateProcessing or Sequence, found \(type.text.quoted())")
    }
  }

  private static func template(
    _ processor: JSONReader, count: Int
  ) throws -> (prefix: [Int], suffix: [Int]) {
    var result: (prefix: [Int], suffix: [Int]) = ([], [])
    var sawText = false
    for item in try processor["single"].array() {
      if !item["Sequence"].isAbsent {
        guard !sawText else { throw item.error("the text occurs twice") }
        sawText = true
        continue
      }
      let name = try item["SpecialToken"]["id"].string()
      for id in try processor["special_tokens"][name.text]["ids"].array() {
        let id = try id.id(below: count)
        if sawText { result.suffix.append(id) } else { result.prefix.append(id) }
      }
    }
    guard sawText else { throw processor["single"].error("expected a Sequence, found none") }
    return result
  }
}

// MARK: Tokens

extension TokenizerFile {
  private struct Added {
    var text: JSONString
    var id: Int
    var special: Bool
    var normalized: Bool
    var place: JSONReader
  }

  /// Longer texts are no markers; the bound keeps the search for them linear.
  static let longestAddedToken = 1024

  private static func added(_ list: JSONReader) throws -> [Added] {
    if list.isAbsent { return [] }
    return try list.array().map { item in
      for flag in ["single_word", "lstrip", "rstrip"] where !item[flag].isAbsent {
        try item[flag].expect(false)
      }
      let text = try item["content"].string()
      guard (1...longestAddedToken).contains(text.utf8.count) else {
        throw item["content"].error(
          "expected 1 to \(longestAddedToken) bytes of text, found \(text.utf8.count)")
      }
      let special = try item["special"].bool(default: false)
      return Added(
        text: text, id: try item["id"].id(below: Int(Int32.max)), special: special,
        normalized: try item["normalized"].bool(default: !special), place: item)
    }
  }

  /// Highest id + 1. Holes are allowed, but an id must not make a table larger than the file warrants.
  private static func idCount(
    _ vocab: JSONObject, _ vocabPlace: JSONReader, _ added: [Added], _ addedPlace: JSONReader
  ) throws -> Int {
    let bound = min(4 * (vocab.count + added.count) + 4096, Int(Int32.max))
    var highest = -1
    for (key, value) in vocab.members {
      guard let id = value.int, (0..<bound).contains(id) else {
        throw vocabPlace.error(
          "token \(key.text.quoted()): expected an id below \(bound), found \(JSONReader.shown(value))")
      }
      highest = max(highest, id)
    }
    for token in added {
      guard token.id < bound else {
        throw token.place["id"].error("expected an id below \(bound), found \(token.id)")
      }
      highest = max(highest, token.id)
    }
    return highest + 1
  }

  private static func fill(
    _ vocabulary: inout Vocabulary, vocab: JSONObject, at place: JSONReader
  ) throws {
    var bytes: [UInt8] = []
    for (key, value) in vocab.members {
      guard let id = value.int, !vocabulary.contains(id) else {
        throw place.error("token \(key.text.quoted()): its id \(JSONReader.shown(value)) has another token")
      }
      bytes.removeAll(keepingCapacity: true)
      ByteAlphabet.append(key.utf8.span, to: &bytes)
      vocabulary.set(id, to: bytes)
    }
  }

  private static func byteIDs(_ vocab: JSONObject, at place: JSONReader) throws -> [Int32] {
    try byteIDs {
      vocab[$0]?.int.map(Int32.init)
    } missing: {
      place.error($0)
    }
  }

  /// Ids of the 256 bytes, -1 for those that no UTF-8 text holds: a vocabulary made from text may lack them.
  static func byteIDs(
    _ id: (String) -> Int32?, missing error: (String) -> TokenizationError
  ) throws -> [Int32] {
    try ByteAlphabet.scalars.enumerated().map { byte, scalar in
      let written = String(Unicode.Scalar(scalar)!)
      if let id = id(written) { return id }
      guard byte == 0xC0 || byte == 0xC1 || byte > 0xF4 else {
        throw error("byte \(byte), written \(written.quoted()), has no token")
      }
      return -1
    }
  }

  /// Merges as `"a b"` or `["a", "b"]`, best first.
  private static func merges(
    _ list: JSONReader, vocab: JSONObject
  ) throws -> [(left: Int32, right: Int32, merged: Int32)] {
    guard let items = list.value?.array else { throw list.error("expected an array, found \(list.shown)") }
    var result: [(left: Int32, right: Int32, merged: Int32)] = []
    result.reserveCapacity(items.count)
    for (rank, item) in items.enumerated() {
      guard let (left, right) = sides(of: item) else {
        throw list[rank].error("expected \"a b\" or [\"a\", \"b\"], found \(JSONReader.shown(item))")
      }
      let merged = JSONString(joining: left, right)
      var ids: [Int32] = []
      for part in [left, right, merged] {
        guard let id = vocab[part]?.int else {
          throw list[rank].error("\(part.text.quoted()) is not in the vocabulary")
        }
        ids.append(Int32(id))
      }
      result.append((ids[0], ids[1], ids[2]))
    }
    return result
  }

  static func sides(of item: JSONValue) -> (JSONString, JSONString)? {
    switch item {
    case .string(let text):
      let parts = text.utf8.split(separator: 0x20, maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 2, let left = JSONString(utf8: Array(parts[0])),
        let right = JSONString(utf8: Array(parts[1]))
      else { return nil }
      return (left, right)
    case .array(let parts):
      guard parts.count == 2, let left = parts[0].jsonString, let right = parts[1].jsonString else {
        return nil
      }
      return (left, right)
    default: return nil
    }
  }
}
