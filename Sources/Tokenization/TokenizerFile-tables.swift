import StrictJSON

extension TokenizerFile {
  /// From lists as GGUF files hold them.
  ///
  /// - Parameter source: what errors call them.
  /// - Throws: `TokenizationError` with the place, what was expected and what was found.
  init(_ tables: TokenizerTables, source: String) throws {
    func wrong(_ place: String, _ problem: String) -> TokenizationError {
      TokenizationError(source: source, place: place, problem: problem)
    }
    guard let named = TokenizerTables.patterns[tables.preTokenizer] else {
      let known = TokenizerTables.patterns.keys.sorted().map { $0.quoted() }.joined(separator: ", ")
      throw wrong(
        "tokenizer.ggml.pre",
        "expected one of \(known), found \(tables.preTokenizer.quoted()); its patterns are not known")
    }
    guard tables.kinds.count == tables.tokens.count else {
      throw wrong(
        "tokenizer.ggml.token_type",
        "expected one for each of \(tables.tokens.count) tokens, found \(tables.kinds.count)")
    }
    patterns = named
    let count = (tables.kinds.lastIndex { $0 != .unused } ?? -1) + 1
    guard count <= Int32.max else { throw wrong("tokenizer.ggml.tokens", "too many: \(count)") }
    vocabulary = Vocabulary(count: count)
    addedIDs = [:]
    var ids: [JSONString: Int32] = [:]
    var added: [(text: [UInt8], id: Int)] = []
    var bytes: [UInt8] = []
    for (id, text) in tables.tokens.prefix(count).enumerated() {
      let written = JSONString(text)
      func twice() -> TokenizationError { wrong("tokenizer.ggml.tokens[\(id)]", "\(text.quoted()) is there twice") }
      switch tables.kinds[id] {
      case .unused: continue
      case .normal:
        guard ids.updateValue(Int32(id), forKey: written) == nil else { throw twice() }
        bytes.removeAll(keepingCapacity: true)
        ByteAlphabet.append(written.utf8.span, to: &bytes)
        vocabulary.set(id, to: bytes)
      case .control, .userDefined:
        guard (1...Self.longestAddedToken).contains(written.utf8.count) else {
          throw wrong(
            "tokenizer.ggml.tokens[\(id)]",
            "expected 1 to \(Self.longestAddedToken) bytes of an added token, found \(written.utf8.count)")
        }
        guard addedIDs.updateValue(id, forKey: written) == nil else { throw twice() }
        vocabulary.set(id, to: written.utf8, special: tables.kinds[id] == .control)
        added.append((written.utf8, id))
      }
    }
    addedTokens = AddedTokens(raw: added, normalized: [])
    pairs = BytePairs(
      bytes: try Self.byteIDs({ ids[JSONString($0)] }, missing: { wrong("tokenizer.ggml.tokens", $0) }),
      merges: try Self.merges(tables.merges, ids, wrong))
    (prefix, suffix) = ([], [])
    for (adds, name, isFirst) in [(tables.addsBOS, "bos_token", true), (tables.addsEOS, "eos_token", false)] where adds
    {
      guard let id = tables.special[name] else {
        throw wrong("tokenizer.ggml.add_\(name)", "true, but there is no id")
      }
      if isFirst { prefix = [id] } else { suffix = [id] }
    }
  }

  private static func merges(
    _ merges: [String], _ ids: [JSONString: Int32], _ wrong: (String, String) -> TokenizationError
  ) throws -> [(left: Int32, right: Int32, merged: Int32)] {
    try merges.enumerated().map { rank, text in
      let place = "tokenizer.ggml.merges[\(rank)]"
      guard let (left, right) = sides(of: .string(JSONString(text))) else {
        throw wrong(place, "expected \"a b\", found \(text.quoted())")
      }
      let found = try [left, right, JSONString(joining: left, right)].map { part in
        guard let id = ids[part] else { throw wrong(place, "\(part.text.quoted()) is not in the vocabulary") }
        return id
      }
      return (found[0], found[1], found[2])
    }
  }
}
