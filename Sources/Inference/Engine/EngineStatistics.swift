/// What an engine has done, for throughput.
public struct EngineStatistics: Sendable, Equatable {
  public var promptTokens = 0
  public var generatedTokens = 0
  /// Tokens of an earlier run that were read again, without their prompts.
  public var replayedTokens = 0
  public var steps = 0
  /// Rows that went through the layers.
  public var rowsComputed = 0
  /// Cached positions that steps looked back on, each once for a step and sequence.
  public var cachedPositionsRead = 0
  /// Seconds in steps that read prompts or tokens of an earlier run, and in steps that only generated.
  public var prefillSeconds = 0.0
  public var decodeSeconds = 0.0
  /// Tokens generated in the two kinds of steps.
  public var tokensInPrefillSteps = 0
  public var tokensInDecodeSteps = 0
  /// Bytes of weights that this rank's products read in steps that only generated.
  public var weightBytesReadInDecode = 0
  /// Seconds from the first step to each sequence's first token.
  public var firstTokenSeconds: [Double] = []
  /// Start of the first step, by `MonotonicClock`.
  public var started: Double?
  /// SHA-256 over the logits of all generated tokens, where ``Engine/hashesLogits`` was set.
  public var logitsHash: String?

  public init() {}
}
