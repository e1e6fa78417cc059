import Checkpoint
import Kernels

/// Which format the weights of each part of a model run in. Gates, biases and norms always compute in f32.
public struct WeightFormats: Sendable, Equatable {
  /// The parts that can be told apart.
  public enum Part: String, CaseIterable, Sendable {
    /// Everything of attention but `kv_b_proj`.
    case attention
    /// `kv_b_proj`, which attention absorbs into queries and outputs.
    case latentUp = "kv_b"
    case dense, shared, experts, head
  }

  private var formats: [Part: WeightFormat]
  /// Down projections of every third layer, and of the first and last eighth, in q6_K: llama.cpp's "K_M" mixes.
  private var hasFinerDown = false
  /// Parts whose format nobody said.
  private var unsaid: Set<Part> = []
  /// Whether somebody said "stored": the formats of a GGUF file, and nothing else.
  public private(set) var saysStored = false
  /// How they run where the checkpoint is a GGUF file with blocks.
  private var storedFormats: StoredFormats?
  /// What parts in fp8 run as where the checkpoint is known.
  private var keptFormats: KeptFormats?

  /// One format for everything; the 4-bit ones keep the head at 6 and `kv_b_proj` at 8 bits.
  public init(_ format: WeightFormat) {
    formats = Dictionary(uniqueKeysWithValues: Part.allCases.map { ($0, format) })
    guard format == .q4_K || format == .q4_1 else { return }
    formats[.head] = .q6_K
    formats[.latentUp] = .q8_0
  }

  /// Reads what `--quant` takes: a format, or parts as `experts=q4_K,attention=q8_0`, or both, the format first.
  ///
  /// Blanks around names do not count.
  ///
  /// - Parameter natural: the format for parts that are not named where no format comes first.
  /// - Throws: ``WeightFormatsError``.
  public init(parsing text: String, natural: WeightFormat) throws(WeightFormatsError) {
    var items = text.split(separator: ",", omittingEmptySubsequences: false).map(Self.trimmed)
    if let first = items.first, !first.contains("=") {
      items.removeFirst()
      self = try Self.named(first, natural: natural)
    } else {
      self = try Self.named("auto", natural: natural)
    }
    var said: Set<Part> = []
    for item in items {
      let sides = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(Self.trimmed)
      guard sides.count == 2 else {
        throw WeightFormatsError(subject: "format of a part", expected: "PART=FORMAT", found: "\"\(item)\"")
      }
      guard let part = Part(rawValue: sides[0].lowercased()) else {
        let names = Part.allCases.map(\.rawValue).joined(separator: ", ")
        throw WeightFormatsError(subject: "part", expected: "one of \(names)", found: "\"\(sides[0])\"")
      }
      guard said.insert(part).inserted else {
        throw WeightFormatsError(subject: "format of \(part.rawValue)", expected: "one", found: "two")
      }
      formats[part] = try Self.format(sides[1], of: part)
      unsaid.remove(part)
    }
  }

  private static func named(_ name: String, natural: WeightFormat) throws(WeightFormatsError) -> WeightFormats {
    switch name.lowercased() {
    case "auto", "stored":
      var formats = WeightFormats(natural)
      formats.unsaid = Set(Part.allCases)
      formats.saysStored = name.lowercased() == "stored"
      return formats
    case "q4_k_s": return WeightFormats(.q4_K)
    case "q4_k_m":
      var mix = WeightFormats(.q4_K)
      mix.hasFinerDown = true
      return mix
    default: return WeightFormats(try format(name))
    }
  }

  /// - Parameter part: nil: the format of all.
  private static func format(_ name: String, of part: Part? = nil) throws(WeightFormatsError) -> WeightFormat {
    let lowercased = name.lowercased()
    if let format = WeightFormat.allCases.first(where: { $0.rawValue.lowercased() == lowercased }) { return format }
    let single = WeightFormat.allCases.map(\.rawValue)
    let names = part == nil ? ["auto"] + single + ["Q4_K_M"] : single
    throw WeightFormatsError(
      subject: part.map { "format of \($0.rawValue)" } ?? "format", expected: "one of " + names.joined(separator: ", "),
      found: "\"\(name)\"" + advice(lowercased))
  }

  private static func trimmed(_ text: Substring) -> String {
    let start = text.drop(while: \.isWhitespace)
    return String(start[..<(start.lastIndex { !$0.isWhitespace }.map(start.index(after:)) ?? start.startIndex)])
  }

  /// What to take for a name that is none.
  ///
  /// - Parameter name: in lower case.
  private static func advice(_ name: String) -> String {
    if name.isEmpty { return "" }
    if name == "q4_0" { return "; use q4_K or q4_1" }
    switch PrecisionName(name) {
    case .f32: return "; use f32"
    case .f16: return "; f16 is no run format: use f32, which loses nothing, or bf16"
    case .bf16: return "; use bf16"
    case .fp8: return "; use fp8"
    case .bits8: return "; use q8_0"
    case .bits6: return "; use q6_K"
    case .bits4: return "; use q4_K"
    case nil: break
    }
    let usual: [WeightFormat] = [.q4_K, .q8_0, .q6_K, .bf16, .fp8, .f32]
    let bare = name.replacing("_", with: "")
    let meant = usual.first {
      let format = $0.rawValue.lowercased()
      if format.hasSuffix(name) || format.replacing("_", with: "") == bare { return true }
      return name.count > 1 && format.hasPrefix(name)
    }
    return meant.map { "; did you mean \($0.rawValue)?" } ?? ""
  }

  /// The format of a matrix with rows of `columns` weights.
  public func format(_ part: Part, columns: Int) -> WeightFormat { formats[part]!.fitting(columns: columns) }

  /// The format of a head's part of `kv_b_proj`, transposed: `[latentRank, nopeDimension]`. Codes of fp8 can be
  /// transposed where each head begins with a block of scales; elsewhere they run as f32.
  public func keysTransposed(_ model: ModelConfiguration) -> WeightFormat {
    let format = format(.latentUp, columns: model.nopeDimension)
    let blocks = ModelConfiguration.BlockSize.fp8.rows
    let isAligned = (model.nopeDimension + model.valueDimension) % blocks == 0
    return format == .fp8 && !isAligned ? .f32 : format
  }

  /// Whether some part runs as the checkpoint's own FP8 codes.
  public var hasFP8: Bool { formats.values.contains(.fp8) }

  /// The format of a feed-forward's down projection in layer `layer` of `layers`.
  public func down(_ part: Part, layer: Int, of layers: Int, columns: Int) -> WeightFormat {
    let isFiner = hasFinerDown && GGUFMix.getsMoreBits(layer: layer, of: layers)
    return isFiner && formats[part] == .q4_K
      ? WeightFormat.q6_K.fitting(columns: columns) : format(part, columns: columns)
  }

  /// Lets parts that nobody said run as a GGUF file has them, and parts in fp8 as an FP8 checkpoint has them, matrix
  /// by matrix.
  public mutating func follow(_ checkpoint: Checkpoint) {
    let types = unsaid.isEmpty ? nil : checkpoint.storedTypes
    storedFormats = types.flatMap { StoredFormats($0, checkpoint.configuration) }
    let coded = Set(Part.allCases.filter { formats[$0] == .fp8 })
    keptFormats = coded.isEmpty ? nil : KeptFormats(checkpoint, parts: coded)
  }

  /// Takes parts in fp8 for those of an official checkpoint, where there is only a configuration.
  public mutating func followOfficial() { keptFormats = .official }

  /// What a matrix runs as where its part runs in `format`.
  func kept(_ format: WeightFormat, _ name: String) -> WeightFormat {
    format == .fp8 ? keptFormats?.others[name] ?? .fp8 : format
  }

  /// Whether some matrices run as a file has them.
  public var followsFile: Bool { storedFormats != nil }

  func stored(_ part: Part) -> StoredFormats? { unsaid.contains(part) ? storedFormats : nil }

  /// Stored types of the parts that nobody said which no run format holds, and what they run in instead, sorted.
  public var inexact: [(stored: ElementType, run: WeightFormat)] {
    var widest: [ElementType: WeightFormat] = [:]
    for part in Part.allCases {
      for (type, format) in stored(part)?.inexact[part] ?? [:] {
        let other = widest[type] ?? format
        widest[type] = format.bitsPerWeight > other.bitsPerWeight ? format : other
      }
    }
    return widest.sorted { $0.key.rawValue < $1.key.rawValue }.map { (stored: $0.key, run: $0.value) }
  }
}

extension WeightFormats: CustomStringConvertible {
  /// For people: ``spelling``, or what there is where a file decides: "q4_K+q6_K as stored", "f32+fp8 as stored".
  public var description: String {
    guard let storedFormats else {
      return text { $0 == .fp8 ? keptFormats?.name ?? $0.rawValue : $0.rawValue }
    }
    return (["\(storedFormats.names) \(inexact.isEmpty ? "as stored" : "requantised")"] + saidTexts)
      .joined(separator: ",")
  }

  /// A format's name, or what differs from it: text that ``init(parsing:natural:)`` takes.
  public var spelling: String {
    saysStored || followsFile ? (["stored"] + saidTexts).joined(separator: ",") : text(\.rawValue)
  }

  /// Parts that somebody named.
  private var saidTexts: [String] {
    Part.allCases.filter { !unsaid.contains($0) }.map { "\($0.rawValue)=\(formats[$0]!.rawValue)" }
  }

  private func text(_ word: (WeightFormat) -> String) -> String {
    let base = formats[.experts]!
    var plain = WeightFormats(base)
    plain.hasFinerDown = hasFinerDown
    let name = hasFinerDown ? "Q4_K_M" : word(base)
    let others = Part.allCases.filter { formats[$0] != plain.formats[$0] }
    return ([name] + others.map { "\($0.rawValue)=\(word(formats[$0]!))" }).joined(separator: ",")
  }
}

/// What is wrong with the text of weight formats.
public struct WeightFormatsError: Error, Equatable, CustomStringConvertible {
  /// "part", "format of experts".
  public let subject: String
  public let expected: String
  public let found: String
  public var description: String { "\(subject): expected \(expected), found \(found)" }
}
