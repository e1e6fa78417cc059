extension ModelConfiguration {
  /// Shapes with a name, for ``Synthesizer``.
  public enum Preset: String, Sendable, CaseIterable {
    /// About half a million parameters.
    case tiny
    /// About 25 million parameters, 4096 positions.
    case mini
    /// About 3 billion parameters, for speed comparisons.
    case bench3B = "bench-3b"
    /// DeepSeek-V2-Lite, 15.7 billion parameters.
    case v2Lite = "v2-lite"
    /// DeepSeek-V2, 236 billion parameters.
    case v2
    /// DeepSeek-R1, 671 billion parameters in official FP8.
    case r1

    public var configuration: ModelConfiguration {
      switch self {
      case .tiny: .tiny
      case .mini: .mini
      case .bench3B: .bench3B
      case .v2Lite: .v2Lite
      case .v2: .v2
      case .r1: .r1
      }
    }
  }

  private static let tiny = ModelConfiguration(
    vocabularySize: 512, hidden: 64, layers: 4, denseLayers: 1, heads: 4, queryRank: 48, latentRank: 32,
    nopeDimension: 16, ropeDimension: 8, valueDimension: 16, denseIntermediate: 128, expertIntermediate: 32,
    routedExperts: 16, sharedExperts: 1, expertsPerToken: 4, groups: 4, groupsPerToken: 2,
    normalizesWeights: true, routedScale: 2.5, maxPositions: 512, bosToken: 0, eosTokens: [1], mtpLayers: 0)

  private static let mini = ModelConfiguration(
    vocabularySize: 4096, hidden: 256, layers: 8, denseLayers: 1, heads: 8, queryRank: 192, latentRank: 128,
    nopeDimension: 32, ropeDimension: 16, valueDimension: 32, denseIntermediate: 768, expertIntermediate: 112,
    routedExperts: 32, sharedExperts: 1, expertsPerToken: 4, groups: 4, groupsPerToken: 2,
    normalizesWeights: true, routedScale: 2.5,
    yarn: YaRN(factor: 4, originalPositions: 1024, mscale: 1, mscaleAllDim: 1),
    maxPositions: 4096, bosToken: 0, eosTokens: [1], mtpLayers: 0)

  private static let bench3B = ModelConfiguration(
    vocabularySize: 32_768, hidden: 2048, layers: 8, denseLayers: 1, heads: 16, queryRank: 768,
    latentRank: 512, nopeDimension: 128, ropeDimension: 64, valueDimension: 128, denseIntermediate: 8192,
    expertIntermediate: 1024, routedExperts: 64, sharedExperts: 1, expertsPerToken: 8, groups: 8,
    groupsPerToken: 4, normalizesWeights: true, routedScale: 2.5, maxPositions: 4096, bosToken: 0,
    eosTokens: [1], mtpLayers: 0)

  private static let v2Lite = ModelConfiguration(
    modelType: .deepseekV2, vocabularySize: 102_400, hidden: 2048, layers: 27, denseLayers: 1, heads: 16,
    queryRank: nil, latentRank: 512, nopeDimension: 128, ropeDimension: 64, valueDimension: 128,
    denseIntermediate: 10_944, expertIntermediate: 1408, routedExperts: 64, sharedExperts: 2,
    expertsPerToken: 6, groups: 1, groupsPerToken: 1, normalizesWeights: false, routedScale: 1,
    scoring: .softmax, selection: .greedy,
    yarn: YaRN(factor: 40, originalPositions: 4096, mscale: 0.707, mscaleAllDim: 0.707),
    maxPositions: 163_840, bosToken: 100_000, eosTokens: [100_001], mtpLayers: 0)

  private static let v2 = ModelConfiguration(
    modelType: .deepseekV2, vocabularySize: 102_400, hidden: 5120, layers: 60, denseLayers: 1, heads: 128,
    queryRank: 1536, latentRank: 512, nopeDimension: 128, ropeDimension: 64, valueDimension: 128,
    denseIntermediate: 12_288, expertIntermediate: 1536, routedExperts: 160, sharedExperts: 2,
    expertsPerToken: 6, groups: 8, groupsPerToken: 3, normalizesWeights: false, routedScale: 16,
    scoring: .softmax, selection: .groupLimitedGreedy,
    yarn: YaRN(factor: 40, originalPositions: 4096, mscale: 1, mscaleAllDim: 1),
    maxPositions: 163_840, bosToken: 100_000, eosTokens: [100_001], mtpLayers: 0)

  private static let r1 = ModelConfiguration(
    vocabularySize: 129_280, hidden: 7168, layers: 61, denseLayers: 3, heads: 128, queryRank: 1536,
    latentRank: 512, nopeDimension: 128, ropeDimension: 64, valueDimension: 128, denseIntermediate: 18_432,
    expertIntermediate: 2048, routedExperts: 256, sharedExperts: 1, expertsPerToken: 8, groups: 8,
    groupsPerToken: 4, normalizesWeights: true, routedScale: 2.5,
    yarn: YaRN(factor: 40, originalPositions: 4096, mscale: 1, mscaleAllDim: 1),
    maxPositions: 163_840, bosToken: 0, eosTokens: [1], mtpLayers: 1,
    quantizationBlock: BlockSize(rows: 128, columns: 128))
}
