/// A prompt and how to go on from it.
public struct GenerationRequest: Sendable {
  /// Token ids, the beginning-of-sentence token included if one is wanted.
  public var prompt: [Int]
  public var maxTokens: Int
  public var sampling: SamplingOptions
  public var stopStrings: [String]
  public var ignoresEndOfSequence: Bool
  /// Most tokens of reasoning before it is closed; nil: no limit.
  public var reasoningBudget: Int?
  /// Alternatives to report with each token; 0: none.
  public var topAlternatives: Int
  /// Keeps special tokens in the text.
  public var keepsSpecialTokens: Bool
  /// Tokens that follow the prompt whatever the model would choose, as long as they last.
  public var forcedTokens: [Int]
  /// Tokens that an earlier run generated behind the prompt, and told of: they are read, not generated, no event
  /// tells of them again, and what follows is what would have followed there.
  public var continuation: [GeneratedToken] = []

  public init(
    prompt: [Int], maxTokens: Int, sampling: SamplingOptions = .greedy, stopStrings: [String] = [],
    ignoresEndOfSequence: Bool = false, reasoningBudget: Int? = nil, topAlternatives: Int = 0,
    keepsSpecialTokens: Bool = false, forcedTokens: [Int] = []
  ) {
    self.prompt = prompt
    self.maxTokens = maxTokens
    self.sampling = sampling
    self.stopStrings = stopStrings
    self.ignoresEndOfSequence = ignoresEndOfSequence
    self.reasoningBudget = reasoningBudget
    self.topAlternatives = topAlternatives
    self.keepsSpecialTokens = keepsSpecialTokens
    self.forcedTokens = forcedTokens
  }
}
