extension ModelConfiguration {
  /// Checks that a `deepseek2` file, and llama.cpp, can express this model.
  ///
  /// - Throws: ``CheckpointError`` naming the first field that it has no key for.
  func requireGGUF(file: String) throws {
    func require(_ holds: Bool, _ field: String, _ expected: String, _ found: Any) throws {
      guard !holds else { return }
      throw CheckpointError.field(
        field, file: file, expected: "\(expected), as deepseek2 files have it", found: "\(found)",
        hint: "GGUF has no words for this model; it runs from its folder.")
    }
    try require(moeLayerFrequency == 1, "moe_layer_freq", "1", moeLayerFrequency)
    try require(sharedExperts > 0, "n_shared_experts", "at least 1", sharedExperts)
    try require(layers <= 512, "num_hidden_layers", "at most 512", layers)
    try require(routedExperts <= 1024, "n_routed_experts", "at most 1024", routedExperts)
    if let yarn {
      try require(
        yarn.mscale == yarn.mscaleAllDim && yarn.mscale > 0, "rope_scaling.mscale",
        "the value of mscale_all_dim (\(yarn.mscaleAllDim)), above 0", yarn.mscale)
    }
  }

  /// The keys of a `deepseek2` file, in the order and types of llama.cpp's converter.
  var ggufMetadata: [(String, GGUFValue)] {
    func count(_ value: Int) -> GGUFValue { .uint32(UInt32(value)) }
    func real(_ value: Double) -> GGUFValue { .float32(Float(value)) }
    // Without a choice among groups there are none to speak of.
    let hasGroups = selection != .greedy && groupsPerToken < groups
    var pairs: [(String, GGUFValue)] = [
      (GGUFKeys.blocks, count(layers)), (GGUFKeys.contextLength, count(maxPositions)),
      (GGUFKeys.hidden, count(hidden)), (GGUFKeys.denseIntermediate, count(denseIntermediate)),
      (GGUFKeys.heads, count(heads)), (GGUFKeys.keyHeads, count(1)),
    ]
    if let yarn {
      pairs += [
        (GGUFKeys.ropeScaling, .string("yarn")), (GGUFKeys.ropeFactor, real(yarn.factor)),
        (GGUFKeys.ropeOriginalPositions, count(yarn.originalPositions)),
        (GGUFKeys.yarnBetaFast, real(yarn.betaFast)), (GGUFKeys.yarnBetaSlow, real(yarn.betaSlow)),
      ]
    }
    pairs += [
      (GGUFKeys.ropeTheta, real(ropeTheta)), (GGUFKeys.normEpsilon, real(normEpsilon)),
      (GGUFKeys.expertsPerToken, count(expertsPerToken)), (GGUFKeys.groups, count(hasGroups ? groups : 1)),
      (GGUFKeys.groupsPerToken, count(hasGroups ? groupsPerToken : 1)),
      (GGUFKeys.scoring, count(scoring == .sigmoid ? 2 : 1)), (GGUFKeys.denseLayers, count(denseLayers)),
      (GGUFKeys.vocabulary, count(vocabularySize)),
    ]
    pairs += [
      // llama.cpp wants the key also where there is no such rank, but for V2-Lite's number of layers.
      (GGUFKeys.queryRank, count(queryRank ?? 0)),
      (GGUFKeys.latentRank, count(latentRank)), (GGUFKeys.keyLength, count(latentRank + ropeDimension)),
      (GGUFKeys.valueLength, count(latentRank)), (GGUFKeys.keyLengthPerHead, count(headDimension)),
      (GGUFKeys.valueLengthPerHead, count(valueDimension)),
      (GGUFKeys.expertIntermediate, count(expertIntermediate)), (GGUFKeys.experts, count(routedExperts)),
      (GGUFKeys.sharedExperts, count(sharedExperts)), (GGUFKeys.routedScale, real(routedScale)),
      (GGUFKeys.normalizesWeights, .bool(normalizesWeights)), (GGUFKeys.ropeDimension, count(ropeDimension)),
    ]
    if let yarn { pairs.append((GGUFKeys.yarnLogMultiplier, real(0.1 * yarn.mscaleAllDim))) }
    return pairs
  }
}

extension GenerationDefaults {
  /// What the file recommends, under llama.cpp's keys; greedy is temperature 0.
  var ggufMetadata: [(String, GGUFValue)] {
    var pairs: [(String, GGUFValue)] = []
    let temperature = sample == false ? 0 : temperature
    if let topK { pairs.append((GGUFKeys.topK, .int32(Int32(topK)))) }
    if let topP { pairs.append((GGUFKeys.topP, .float32(Float(topP)))) }
    if let minP { pairs.append((GGUFKeys.minP, .float32(Float(minP)))) }
    if let temperature { pairs.append((GGUFKeys.temperature, .float32(Float(temperature)))) }
    if let repetitionPenalty { pairs.append((GGUFKeys.repetitionPenalty, .float32(Float(repetitionPenalty)))) }
    return pairs
  }
}
