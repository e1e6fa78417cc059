/// The patterns by which the family's tokenizers cut text into pieces, matched by hand: a general regular
/// expression engine is slower by an order of magnitude and differs in what `\s` and `\p{N}` mean.
enum SplitPattern: Sendable, CaseIterable {
  /// Of V3 and R1: up to three digits of any script.
  case digits
  /// Han ideographs and kana.
  case ideographs
  /// Words with a leading space or sign, punctuation, line ends, white space.
  case words
  /// Of V2 and before: CR or LF.
  case lineEnd
  /// Letters with a leading space: listed ones, or all.
  case listedLetters
  case letters
  /// Signs with a leading space: listed ones, or all punctuation without the symbols.
  case listedSigns
  case punctuation
  /// White space before a line's end.
  case trailingSpace
  /// Scripts without spaces between words, and all others from Samaritan on.
  case eastAsian
  /// One digit of any script; in tokenizer.json also the step `Digits`.
  case digit

  /// As in `pre_tokenizer.pretokenizers[].pattern.Regex`, with escaped line ends.
  var expression: String {
    switch self {
    case .digits: #"\p{N}{1,3}"#
    case .ideographs: "[\u{4E00}-\u{9FA5}\u{3040}-\u{309F}\u{30A0}-\u{30FF}]+"
    case .words:
      ##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"##
        + #"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
    case .lineEnd: #"[\r\n]"#
    case .listedLetters: #"\s?["# + ListedScalars.letters.expression + "]+"
    case .letters: #"\s?\p{L}+"#
    case .listedSigns: #"\s?["# + ListedScalars.signs.expression + "]+"
    case .punctuation: #"\s?\p{P}+"#
    case .trailingSpace: #"\s+$"#
    case .eastAsian: "[" + ListedScalars.eastAsian.expression + "]+"
    case .digit: #"\p{N}"#
    }
  }

  /// Nil for a pattern that nobody wrote a matcher for.
  init?(expression: String) {
    // Files hold the line ends of a character class raw or escaped.
    let unified = expression.utf8.flatMap { byte -> [UInt8] in
      switch byte {
      case 0x0D: Array(#"\r"#.utf8)
      case 0x0A: Array(#"\n"#.utf8)
      default: [byte]
      }
    }
    guard let match = Self.allCases.first(where: { $0.expression.utf8.elementsEqual(unified) }) else {
      return nil
    }
    self = match
  }

  /// Appends the ends of the pieces of `text[start..<end]`: every match, and the text between matches.
  func split(_ text: Span<UInt8>, from start: Int, to end: Int, into ends: inout [Int]) {
    var position = start
    var gap = start
    while position < end {
      let matchEnd = match(text, at: position, end: end)
      if matchEnd > position {
        if gap < position { ends.append(position) }
        ends.append(matchEnd)
        position = matchEnd
        gap = matchEnd
      } else {
        position = next(text, after: position, end: end)
      }
    }
    if gap < end { ends.append(end) }
  }

  /// End of the match that begins at `start`; `start` where none does.
  @inline(__always)
  private func match(_ text: Span<UInt8>, at start: Int, end: Int) -> Int {
    switch self {
    case .digits: Self.run(of: .number, in: text, from: start, end: end, limit: 3)
    case .ideographs: Self.run(of: .ideograph, in: text, from: start, end: end)
    case .words: Self.word(text, at: start, end: end)
    case .lineEnd: Self.run(of: .lineEnd, in: text, from: start, end: end, limit: 1)
    case .listedLetters: Self.run(of: .listedLetter, afterSpaceIn: text, from: start, end: end)
    case .letters: Self.run(of: .letter, afterSpaceIn: text, from: start, end: end)
    case .listedSigns: Self.run(of: .listedSign, afterSpaceIn: text, from: start, end: end)
    case .punctuation: Self.run(of: .punctuationProper, afterSpaceIn: text, from: start, end: end)
    case .trailingSpace: Self.trailingSpace(text, at: start, end: end)
    case .eastAsian: Self.run(of: .eastAsian, in: text, from: start, end: end)
    case .digit: Self.run(of: .number, in: text, from: start, end: end, limit: 1)
    }
  }

  /// Where the next match may begin, when none begins at `position`.
  @inline(__always)
  private func next(_ text: Span<UInt8>, after position: Int, end: Int) -> Int {
    let next = position + text.scalar(at: position).length
    guard self == .trailingSpace else { return next }
    // What fails in a run of spaces fails in all of it: trying at each of them would take quadratic time.
    return max(next, Self.run(of: .space, in: text, from: position, end: end))
  }

  @inline(__always)
  private static func run(
    of wanted: ScalarClass, in text: Span<UInt8>, from start: Int, end: Int, limit: Int = .max
  ) -> Int {
    var position = start
    var count = 0
    while position < end, count < limit {
      let (found, length) = text.scalarClass(at: position)
      if found.isDisjoint(with: wanted) { break }
      position += length
      count += 1
    }
    return position
  }

  /// `\s?X+`. A space may itself be one of X: where nothing follows it, it is taken for one.
  @inline(__always)
  private static func run(of wanted: ScalarClass, afterSpaceIn text: Span<UInt8>, from start: Int, end: Int) -> Int {
    let (first, length) = text.scalarClass(at: start)
    if first.contains(.space) {
      let found = run(of: wanted, in: text, from: start + length, end: end)
      if found > start + length { return found }
    }
    return run(of: wanted, in: text, from: start, end: end)
  }

  /// `\s+$`, where `$` is before a line feed too.
  private static func trailingSpace(_ text: Span<UInt8>, at start: Int, end: Int) -> Int {
    let spaceEnd = run(of: .space, in: text, from: start, end: end)
    if spaceEnd == end { return end }
    var position = spaceEnd
    while position > start {
      position -= 1
      if text[position] == 0x0A { return position }
    }
    return start
  }

  /// The alternatives of `words`, in their order.
  @inline(__always)
  private static func word(_ text: Span<UInt8>, at start: Int, end: Int) -> Int {
    let (first, length) = text.scalarClass(at: start)
    let next = start + length
    let isPunctuation = first.contains(.punctuation)
    // [!-~][A-Za-z]+
    if isPunctuation, length == 1 {
      let wordEnd = run(of: .latin, in: text, from: next, end: end)
      if wordEnd > next { return wordEnd }
    }
    // [^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+
    let letters: ScalarClass = [.letter, .mark]
    if first.isDisjoint(with: [.letter, .punctuation, .lineEnd]) {
      let wordEnd = run(of: letters, in: text, from: next, end: end)
      if wordEnd > next { return wordEnd }
    }
    if !first.isDisjoint(with: letters) { return run(of: letters, in: text, from: next, end: end) }
    //  ?[\p{P}\p{S}]+[\r\n]*
    let signs = text[start] == 0x20 ? next : start
    let signsEnd = run(of: .punctuation, in: text, from: signs, end: end)
    if signsEnd > signs { return run(of: .lineEnd, in: text, from: signsEnd, end: end) }
    return first.contains(.space) ? space(text, at: start, end: end) : start
  }

  /// `\s*[\r\n]+|\s+(?!\S)|\s+`
  private static func space(_ text: Span<UInt8>, at start: Int, end: Int) -> Int {
    var position = start
    var lastStart = start
    var lineEnd = start
    while position < end {
      let (found, length) = text.scalarClass(at: position)
      guard found.contains(.space) else { break }
      lastStart = position
      position += length
      if found.contains(.lineEnd) { lineEnd = position }
    }
    if lineEnd > start { return lineEnd }
    // White space before a word leaves its last scalar to the word.
    return position == end || lastStart == start ? position : lastStart
  }
}
