extension ModelConfiguration {
  /// Reads and verifies the configuration in the metadata of a `deepseek2` file. Absent keys take llama.cpp's
  /// defaults, or the official ones of V3 where those lose what old files do not tell.
  ///
  /// - Parameters:
  ///   - tiesEmbeddings: the file has no head of its own.
  ///   - hasGateBias: there are correction biases of gates, which only sigmoid gates have.
  /// - Throws: ``CheckpointError`` naming the key.
  init(_ metadata: GGUFMetadata, tiesEmbeddings: Bool, hasGateBias: Bool, file: String) throws {
    var fields = GGUFFields(metadata, file: file)
    try ModelConfiguration.checkKind(&fields)
    let blocks = try fields.integer(GGUFKeys.blocks, Bound.layers)
    mtpLayers = try fields.integer(GGUFKeys.mtpLayers, 0...64, default: 0)
    layers = blocks - mtpLayers
    denseLayers = try fields.integer(GGUFKeys.denseLayers, 0...4096, default: 0)
    hidden = try fields.integer(GGUFKeys.hidden, Bound.width)
    vocabularySize = try ModelConfiguration.vocabulary(&fields)
    maxPositions = try fields.integer(GGUFKeys.contextLength, Bound.positions)
    denseIntermediate = try fields.integer(GGUFKeys.denseIntermediate, Bound.width)
    expertIntermediate = try fields.integer(GGUFKeys.expertIntermediate, Bound.width)
    heads = try fields.integer(GGUFKeys.heads, Bound.experts)
    queryRank =
      metadata[GGUFKeys.queryRank] == nil ? nil : try fields.integer(GGUFKeys.queryRank, 0...(1 << 20))
    if queryRank == 0 { queryRank = nil }
    latentRank = try fields.integer(GGUFKeys.latentRank, Bound.width)
    ropeDimension = try fields.integer(GGUFKeys.ropeDimension, 1...65_536)
    // Files of before 2025 have only one pair of keys, with the meaning of the later one.
    let isSplit = metadata[GGUFKeys.keyLengthPerHead] != nil
    let keyLength = isSplit ? GGUFKeys.keyLengthPerHead : GGUFKeys.keyLength
    nopeDimension = try fields.integer(keyLength, (ropeDimension + 1)...131_072) - ropeDimension
    valueDimension = try fields.integer(isSplit ? GGUFKeys.valueLengthPerHead : GGUFKeys.valueLength, 1...65_536)
    normEpsilon = try fields.number(GGUFKeys.normEpsilon, 0...1)
    routedExperts = try fields.integer(GGUFKeys.experts, Bound.experts)
    sharedExperts = try fields.integer(GGUFKeys.sharedExperts, 0...65_536)
    expertsPerToken = try fields.integer(GGUFKeys.expertsPerToken, Bound.experts)
    normalizesWeights = try fields.flag(GGUFKeys.normalizesWeights, default: false)
    routedScale = try fields.number(GGUFKeys.routedScale, 1e-6...1e6, default: 1)
    let isSigmoid = try fields.integer(GGUFKeys.scoring, 1...2, default: hasGateBias ? 2 : 1) == 2
    if hasGateBias, !isSigmoid {
      throw fields.wrong(
        GGUFKeys.scoring, "2 (sigmoid), as the gates have correction biases (exp_probs_b.bias)",
        hint: "The metadata or the tensors are of another model: convert it again.")
    }
    // The official V3 and R1; their first conversions leave the groups out.
    let isOfficial = isSigmoid && routedExperts == 256
    groups = try fields.integer(GGUFKeys.groups, Bound.experts, default: isOfficial ? 8 : 1)
    groupsPerToken = try fields.integer(GGUFKeys.groupsPerToken, Bound.experts, default: isOfficial ? 4 : 1)
    modelType = isSigmoid ? .deepseekV3 : .deepseekV2
    scoring = isSigmoid ? .sigmoid : .softmax
    selection = isSigmoid ? .biasedGroups : groups > 1 ? .groupLimitedGreedy : .greedy
    ropeTheta = try fields.number(GGUFKeys.ropeTheta, 1...1e12, default: 10_000)
    yarn = try ModelConfiguration.yarn(&fields)
    let ids = vocabularySize
    bosToken = try fields.token(GGUFKeys.beginOfSentence, vocabulary: ids)
    eosTokens = try [GGUFKeys.endOfSentence, GGUFKeys.endOfTurn, GGUFKeys.endOfMessage]
      .compactMap { try fields.token($0, vocabulary: ids) }
    self.tiesEmbeddings = tiesEmbeddings
    assumedFields = fields.assumed
    try verify(file: file)
  }

  private static func checkKind(_ fields: inout GGUFFields) throws {
    let found = fields.metadata[GGUFKeys.architecture]
    guard found?.string == GGUFKeys.deepseek else {
      throw fields.wrong(
        GGUFKeys.architecture, "\"\(GGUFKeys.deepseek)\"",
        hint: "Flotilla runs the DeepSeek-V2 and V3 families (R1 is a V3).")
    }
  }

  private static func vocabulary(_ fields: inout GGUFFields) throws -> Int {
    let tokens = fields.metadata["tokenizer.ggml.tokens"]?.strings?.count
    if fields.metadata[GGUFKeys.vocabulary] == nil, let tokens, Bound.vocabulary.contains(tokens) { return tokens }
    return try fields.integer(GGUFKeys.vocabulary, Bound.vocabulary)
  }

  private static func yarn(_ fields: inout GGUFFields) throws -> YaRN? {
    for key in [GGUFKeys.ropeAttentionFactor, GGUFKeys.yarnExtensionFactor, GGUFKeys.yarnAttentionFactor] {
      guard let value = fields.metadata[key], value.double != 1 else { continue }
      throw fields.wrong(key, "1, or nothing", hint: "No official checkpoint of this family sets it.")
    }
    switch fields.metadata[GGUFKeys.ropeScaling] {
    case nil where [nil, 1].contains(fields.metadata[GGUFKeys.ropeFactor]?.double): return nil
    case .string("none"): return nil
    case .string("yarn"): break
    default:
      throw fields.wrong(GGUFKeys.ropeScaling, "\"yarn\" or \"none\"", hint: "Official checkpoints use yarn or none.")
    }
    // llama.cpp knows one multiplier: official models have the same value for both.
    let multiplier = try fields.metadata[GGUFKeys.yarnLogMultiplier].map { value -> Double in
      guard case .float32(let tenth) = value, tenth.isFinite, (0...100).contains(tenth) else {
        throw fields.wrong(GGUFKeys.yarnLogMultiplier, "0 to 100, as float32", hint: "It is 0.1 in R1.")
      }
      // By its decimal digits: ten times 0.0707 is not 0.707 in binary.
      let text = "\(tenth)"
      return text.contains("e") ? Double(tenth) * 10 : Double(text + "e1") ?? Double(tenth) * 10
    }
    return YaRN(
      factor: try fields.number(GGUFKeys.ropeFactor, 1...1e6),
      originalPositions: try fields.integer(GGUFKeys.ropeOriginalPositions, Bound.positions),
      betaFast: try fields.number(GGUFKeys.yarnBetaFast, 1e-6...1e6, default: 32),
      betaSlow: try fields.number(GGUFKeys.yarnBetaSlow, 1e-6...1e6, default: 1),
      mscale: multiplier ?? 1, mscaleAllDim: multiplier ?? 0)
  }
}

/// Reads typed, bounded values of metadata; every complaint names file and key.
struct GGUFFields {
  let metadata: GGUFMetadata
  let file: String
  /// Keys without which a model may run and mean something else.
  private(set) var assumed: [String] = []

  init(_ metadata: GGUFMetadata, file: String) {
    self.metadata = metadata
    self.file = file
  }

  func wrong(_ key: String, _ expected: String, hint: String? = nil) -> CheckpointError {
    .field(
      key, file: file, expected: expected, found: metadata[key]?.shown ?? "nothing",
      hint: hint ?? (metadata[key] == nil ? "The key is missing: convert the checkpoint again." : usual))
  }

  private var usual: String { "No model of this family has such a value." }

  mutating func integer(_ key: String, _ bounds: ClosedRange<Int>, default fallback: Int? = nil) throws -> Int {
    if metadata[key] == nil, let fallback {
      if [GGUFKeys.groups, GGUFKeys.groupsPerToken].contains(key), fallback > 1 { assumed.append(key) }
      return fallback
    }
    guard let number = metadata[key]?.integer, bounds.contains(number) else {
      throw wrong(key, "an integer, \(bounds.lowerBound) to \(bounds.upperBound)")
    }
    return number
  }

  func number(_ key: String, _ bounds: ClosedRange<Double>, default fallback: Double? = nil) throws -> Double {
    if metadata[key] == nil, let fallback { return fallback }
    guard let number = metadata[key]?.double, bounds.contains(number) else {
      throw wrong(key, "a floating-point number, \(bounds.lowerBound) to \(bounds.upperBound)")
    }
    return number
  }

  func flag(_ key: String, default fallback: Bool) throws -> Bool {
    guard let value = metadata[key] else { return fallback }
    guard let flag = value.bool else { throw wrong(key, "true or false") }
    return flag
  }

  func token(_ key: String, vocabulary: Int) throws -> Int? {
    guard let value = metadata[key] else { return nil }
    guard let id = value.integer, (0..<vocabulary).contains(id) else {
      throw wrong(key, "a token id, 0 to \(vocabulary - 1)")
    }
    return id
  }
}

extension GenerationDefaults {
  /// What the metadata recommend.
  init(_ metadata: GGUFMetadata, file: String) throws {
    self.init()
    let fields = GGUFFields(metadata, file: file)
    func number(_ key: String, _ bounds: ClosedRange<Double>) throws -> Double? {
      metadata[key] == nil ? nil : try fields.number(key, bounds)
    }
    temperature = try number(GGUFKeys.temperature, 0...100)
    sample = temperature.map { $0 > 0 }
    if temperature == 0 { temperature = nil }
    topP = try number(GGUFKeys.topP, 0...1)
    minP = try number(GGUFKeys.minP, 0...1)
    if metadata[GGUFKeys.topK] != nil {
      var fields = fields
      topK = try fields.integer(GGUFKeys.topK, 0...(1 << 24))
    }
    repetitionPenalty = try number(GGUFKeys.repetitionPenalty, 1e-3...1e3)
  }
}
