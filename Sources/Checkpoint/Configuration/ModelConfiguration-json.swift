import StrictJSON

/// The largest values that any field may take: generous, and small enough that products of a few fit an Int.
enum Bound {
  static let width = 1...(1 << 20)
  static let vocabulary = 1...(1 << 24)
  static let layers = 1...4096
  static let experts = 1...65_536
  static let positions = 1...(1 << 31)
}

extension ModelConfiguration {
  /// Reads and verifies the object of a `config.json`. Absent fields take the defaults of the official
  /// `DeepseekV3Config` and `DeepseekV2Config`.
  ///
  /// - Throws: ``CheckpointError`` naming the first impossible field.
  public init(json: JSONValue, file: String) throws {
    var fields = try ConfigurationFields(json, file: file)
    let type = try fields.choice(
      "model_type", ["deepseek_v3", "deepseek_v2"], default: nil,
      hint: "Flotilla runs the DeepSeek-V2 and V3 families (R1 is a V3).")
    let isV3 = type == "deepseek_v3"
    modelType = isV3 ? .deepseekV3 : .deepseekV2
    try ModelConfiguration.refuseUnsupported(&fields)

    vocabularySize = try fields.integer("vocab_size", Bound.vocabulary, default: isV3 ? 129_280 : 102_400)
    hidden = try fields.integer("hidden_size", Bound.width, default: isV3 ? 7168 : 4096)
    layers = try fields.integer("num_hidden_layers", Bound.layers, default: isV3 ? 61 : 30)
    denseLayers = try fields.integer("first_k_dense_replace", 0...4096, default: isV3 ? 3 : 0)
    moeLayerFrequency = try fields.integer("moe_layer_freq", Bound.layers, default: 1)
    heads = try fields.integer("num_attention_heads", Bound.experts, default: isV3 ? 128 : 32)
    if let keys = fields.value("num_key_value_heads"), ConfigurationFields.integer(keys) != heads {
      throw fields.wrong(
        "num_key_value_heads", expected: "num_attention_heads (\(heads))",
        found: ConfigurationFields.describe(keys),
        hint: "In latent attention every head has its own keys and values.")
    }
    queryRank =
      fields.isExplicitNull("q_lora_rank")
      ? nil : try fields.integer("q_lora_rank", Bound.width, default: 1536)
    latentRank = try fields.integer("kv_lora_rank", Bound.width, default: 512)
    nopeDimension = try fields.integer("qk_nope_head_dim", 1...65_536, default: 128)
    ropeDimension = try fields.integer("qk_rope_head_dim", 1...65_536, default: 64)
    valueDimension = try fields.integer("v_head_dim", 1...65_536, default: 128)
    denseIntermediate = try fields.integer("intermediate_size", Bound.width, default: isV3 ? 18_432 : 11_008)
    expertIntermediate = try fields.integer("moe_intermediate_size", Bound.width, default: isV3 ? 2048 : 1407)
    routedExperts = try fields.integer("n_routed_experts", Bound.experts, default: isV3 ? 256 : nil)
    sharedExperts =
      fields.isExplicitNull("n_shared_experts")
      ? 0 : try fields.integer("n_shared_experts", 0...65_536, default: isV3 ? 1 : 0)
    expertsPerToken = try fields.integer("num_experts_per_tok", Bound.experts, default: isV3 ? 8 : nil)
    groups = fields.isExplicitNull("n_group") ? 1 : try fields.integer("n_group", Bound.experts, default: isV3 ? 8 : 1)
    groupsPerToken =
      fields.isExplicitNull("topk_group")
      ? 1 : try fields.integer("topk_group", Bound.experts, default: isV3 ? 4 : 1)
    normalizesWeights = try fields.flag("norm_topk_prob", default: isV3)
    routedScale = try fields.number("routed_scaling_factor", 1e-6...1e6, default: isV3 ? 2.5 : 1)
    normEpsilon = try fields.number("rms_norm_eps", 0...1, default: 1e-6)
    maxPositions = try fields.integer("max_position_embeddings", Bound.positions, default: isV3 ? 4096 : 2048)
    tiesEmbeddings = try fields.flag("tie_word_embeddings", default: false)
    mtpLayers =
      fields.isExplicitNull("num_nextn_predict_layers")
      ? 0 : try fields.integer("num_nextn_predict_layers", 0...64, default: 0)
    (scoring, selection) = try ModelConfiguration.gate(&fields, isV3: isV3)
    (ropeTheta, yarn) = try ModelConfiguration.rotary(&fields)
    quantizationBlock = try ModelConfiguration.quantization(fields)

    let bos = try fields.tokens("bos_token_id", vocabulary: vocabularySize, default: isV3 ? [0] : [100_000])
    bosToken = bos.first
    eosTokens = try fields.tokens("eos_token_id", vocabulary: vocabularySize, default: isV3 ? [1] : [100_001])
    let important = ModelConfiguration.shapeFields.union(ModelConfiguration.meaningFields)
    assumedFields = fields.assumed.filter(important.contains)
    try verify(file: file)
  }

  /// Fields that shape tensors: a default there may not fit the weights.
  static let shapeFields: Set<String> = [
    "vocab_size", "hidden_size", "num_hidden_layers", "first_k_dense_replace", "moe_layer_freq",
    "num_attention_heads", "q_lora_rank", "kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim",
    "intermediate_size", "moe_intermediate_size", "n_routed_experts", "n_shared_experts",
  ]

  /// Fields that no tensor's shape gives away: a wrong default computes something else.
  private static let meaningFields: Set<String> = [
    "num_experts_per_tok", "n_group", "topk_group", "norm_topk_prob", "routed_scaling_factor", "scoring_func",
    "topk_method", "rms_norm_eps", "rope_theta", "rope_scaling",
  ]

  /// Variants that would load and then compute something else than their authors meant.
  private static func refuseUnsupported(_ fields: inout ConfigurationFields) throws {
    _ = try fields.choice(
      "hidden_act", ["silu"], default: "silu", hint: "Experts of this family are SwiGLU; others do not run here.")
    if try fields.flag("attention_bias", default: false) {
      throw fields.wrong(
        "attention_bias", expected: "false", found: "true",
        hint: "No official checkpoint of this family has biases in attention; they do not run here.")
    }
    if try !fields.flag("rope_interleave", default: true) {
      throw fields.wrong(
        "rope_interleave", expected: "true", found: "false",
        hint: "Official weights rotate adjacent pairs; convert the checkpoint back to that order.")
    }
  }

  private static func gate(
    _ fields: inout ConfigurationFields, isV3: Bool
  ) throws -> (Scoring, Selection) {
    let scoringName = try fields.choice(
      "scoring_func", ["sigmoid", "softmax"], default: isV3 ? "sigmoid" : "softmax",
      hint: "V3 and R1 use sigmoid, V2 uses softmax.")
    // The official V2 configuration class spells its default "gready".
    var method = try fields.choice(
      "topk_method", ["noaux_tc", "greedy", "group_limited_greedy", "gready"],
      default: isV3 ? "noaux_tc" : "greedy", hint: "V3 and R1 use noaux_tc; V2 uses one of the greedy ones.")
    if method == "gready" { method = "greedy" }
    guard let scoring = Scoring(rawValue: scoringName), let selection = Selection(rawValue: method) else {
      preconditionFailure("choices and cases differ")
    }
    guard (scoring == .sigmoid) == (selection == .biasedGroups) else {
      throw fields.wrong(
        "topk_method", expected: scoring == .sigmoid ? "noaux_tc" : "greedy or group_limited_greedy",
        found: "\"\(method)\" with scoring_func \"\(scoringName)\"",
        hint: "Official gates are sigmoid with noaux_tc, or softmax with a greedy method.")
    }
    return (scoring, selection)
  }

  /// `rope_theta` and `rope_scaling`, or the newer `rope_parameters` that holds both.
  private static func rotary(_ fields: inout ConfigurationFields) throws -> (Double, YaRN?) {
    let thetaBounds = 1.0...1e12
    let name =
      fields.value("rope_scaling") == nil && fields.value("rope_parameters") != nil
      ? "rope_parameters" : "rope_scaling"
    guard let json = fields.value(name) else {
      fields.noteAbsence(of: "rope_scaling")
      return (try fields.number("rope_theta", thetaBounds, default: 10_000), nil)
    }
    var rope = try ConfigurationFields(json, file: fields.file, field: name)
    let theta =
      rope.value("rope_theta") == nil
      ? try fields.number("rope_theta", thetaBounds, default: 10_000)
      : try rope.number("rope_theta", thetaBounds, default: nil)
    let key = rope.value("rope_type") == nil ? "type" : "rope_type"
    let type = try rope.choice(
      key, ["yarn", "default"], default: name == "rope_parameters" ? "default" : nil,
      hint: "Official checkpoints use yarn or none.")
    if type == "default" { return (theta, nil) }
    return (theta, try yarn(&rope))
  }

  private static func yarn(_ rope: inout ConfigurationFields) throws -> YaRN {
    for name in ["attention_factor", "truncate"] {
      if let value = rope.value(name), !(name == "truncate" && value.bool == true) {
        throw rope.wrong(
          name, expected: "nothing", found: ConfigurationFields.describe(value),
          hint: "No official checkpoint of this family sets it, and it does not run here.")
      }
    }
    let scale = YaRN(
      factor: try rope.number("factor", 1...1e6, default: nil),
      originalPositions: try rope.integer("original_max_position_embeddings", Bound.positions, default: nil),
      betaFast: try rope.number("beta_fast", 1e-6...1e6, default: 32),
      betaSlow: try rope.number("beta_slow", 1e-6...1e6, default: 1),
      mscale: try rope.number("mscale", 0...1e3, default: 1),
      mscaleAllDim: try rope.number("mscale_all_dim", 0...1e3, default: 0))
    guard scale.betaFast >= scale.betaSlow else {
      throw rope.wrong(
        "beta_fast", expected: "at least beta_slow (\(scale.betaSlow))", found: "\(scale.betaFast)",
        hint: "The two are probably swapped; official values are 32 and 1.")
    }
    return scale
  }

  private static func quantization(_ fields: ConfigurationFields) throws -> BlockSize? {
    guard let json = fields.value("quantization_config") else { return nil }
    var inner = try ConfigurationFields(json, file: fields.file, field: "quantization_config")
    let hint = "Only official FP8 runs: quant_method fp8, fmt e4m3, one scale per block; or convert to BF16."
    _ = try inner.choice("quant_method", ["fp8"], default: nil, hint: hint)
    _ = try inner.choice("fmt", ["e4m3"], default: "e4m3", hint: hint)
    _ = try inner.choice("activation_scheme", ["dynamic"], default: "dynamic", hint: hint)
    guard inner.object["weight_block_size"] != nil else { return BlockSize(rows: 128, columns: 128) }
    guard let list = inner.value("weight_block_size")?.array, list.count == 2,
      let rows = ConfigurationFields.integer(list[0]), let columns = ConfigurationFields.integer(list[1]),
      Bound.width.contains(rows), Bound.width.contains(columns)
    else {
      throw inner.wrong(
        "weight_block_size", expected: "two positive integers",
        found: inner.object["weight_block_size"].map(ConfigurationFields.describe) ?? "nothing", hint: hint)
    }
    return BlockSize(rows: rows, columns: columns)
  }
}
