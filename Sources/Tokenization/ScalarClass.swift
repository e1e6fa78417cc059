/// What the split patterns ask of a Unicode scalar.
struct ScalarClass: OptionSet, Sendable {
  let rawValue: UInt16

  /// `\p{L}`
  static let letter = ScalarClass(rawValue: 1)
  /// `\p{M}`
  static let mark = ScalarClass(rawValue: 2)
  /// `\p{N}`
  static let number = ScalarClass(rawValue: 4)
  /// `\p{P}` or `\p{S}`.
  static let punctuation = ScalarClass(rawValue: 8)
  /// `\s`: U+0009 to U+000D, U+0085 and the separators.
  static let space = ScalarClass(rawValue: 16)
  /// CR or LF.
  static let lineEnd = ScalarClass(rawValue: 32)
  /// `[A-Za-z]`
  static let latin = ScalarClass(rawValue: 64)
  /// U+4E00 to U+9FA5 and the kana blocks.
  static let ideograph = ScalarClass(rawValue: 128)
  /// `\p{P}` without the symbols.
  static let punctuationProper = ScalarClass(rawValue: 256)
  /// The letters, signs and East Asian scalars that the V2 family's patterns list.
  static let listedLetter = ScalarClass(rawValue: 512)
  static let listedSign = ScalarClass(rawValue: 1024)
  static let eastAsian = ScalarClass(rawValue: 2048)

  private static let tableEnd: UInt32 = 0x20000
  /// Planes 0 and 1; above, nearly all are rare ideographs.
  private static let table: [ScalarClass] = {
    var table = (0..<tableEnd).map(classify)
    for (list, member) in ListedScalars.all {
      for range in list.ranges {
        for scalar in range { table[Int(scalar)].insert(member) }
      }
    }
    return table
  }()

  @inline(__always)
  static func of(_ scalar: UInt32) -> ScalarClass {
    scalar < tableEnd ? table[Int(scalar)] : classify(scalar)
  }

  private static func classify(_ value: UInt32) -> ScalarClass {
    guard let scalar = Unicode.Scalar(value) else { return [] }
    var result: ScalarClass
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
      result = .letter
    case .nonspacingMark, .spacingMark, .enclosingMark: result = .mark
    case .decimalNumber, .letterNumber, .otherNumber: result = .number
    case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation,
      .initialPunctuation, .finalPunctuation, .otherPunctuation:
      result = [.punctuation, .punctuationProper]
    case .mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol: result = .punctuation
    case .spaceSeparator, .lineSeparator, .paragraphSeparator: result = .space
    default: result = (0x09...0x0D).contains(value) || value == 0x85 ? .space : []
    }
    if value == 0x0A || value == 0x0D { result.insert(.lineEnd) }
    if value < 0x80, result.contains(.letter) { result.insert(.latin) }
    if (0x4E00...0x9FA5).contains(value) || (0x3040...0x30FF).contains(value) {
      result.insert(.ideograph)
    }
    return result
  }
}

extension Span<UInt8> {
  /// The class of the scalar at an index of valid UTF-8, and its length in bytes.
  @inline(__always)
  func scalarClass(at index: Int) -> (class: ScalarClass, length: Int) {
    let (scalar, length) = scalar(at: index)
    return (ScalarClass.of(scalar), length)
  }

  @inline(__always)
  func scalar(at index: Int) -> (value: UInt32, length: Int) {
    let lead = UInt32(self[index])
    if lead < 0x80 { return (lead, 1) }
    let second = UInt32(self[index + 1] & 0x3F)
    if lead < 0xE0 { return ((lead & 0x1F) << 6 | second, 2) }
    let third = UInt32(self[index + 2] & 0x3F)
    if lead < 0xF0 { return ((lead & 0x0F) << 12 | second << 6 | third, 3) }
    return ((lead & 0x07) << 18 | second << 12 | third << 6 | UInt32(self[index + 3] & 0x3F), 4)
  }
}
