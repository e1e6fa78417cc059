import Kernels

/// What both ends of every message must agree on before they believe a byte of it.
public struct WireShape: Sendable, Equatable {
  public let hidden: Int
  /// How token rows travel to the hosts: as the kernels of their experts read them.
  public let encoding: ActivationEncoding
  /// Routed experts of a layer, E.
  public let experts: Int
  /// Experts per token, k.
  public let expertsPerToken: Int
  /// Layers of the model, dense ones included.
  public let layers: Int
  public let ranks: Int
  /// No message is larger; bigger transfers are cut by token ranges.
  public let maxMessageBytes: Int
  /// Counts the sessions of a run; a message of another session is refused.
  public let epoch: UInt32
  /// A token's largest share in a message of any kind.
  private let bytesPerToken: Int

  public static let mostExpertsPerToken = 32
  private static let largestMessage = 64 << 20

  /// - Precondition: the shape is one that a checked model configuration can have, and a message has room
  ///   for one token.
  public init(
    hidden: Int, encoding: ActivationEncoding = .f32, experts: Int, expertsPerToken: Int, layers: Int, ranks: Int,
    maxMessageBytes: Int = 16 << 20, epoch: UInt32 = 0
  ) {
    precondition((1...1 << 24).contains(hidden) && (1...1 << 16).contains(layers))
    precondition((1...Placement.mostExperts).contains(experts))
    precondition((1...min(experts, Self.mostExpertsPerToken)).contains(expertsPerToken))
    precondition((1...Placement.mostRanks).contains(ranks))
    self.hidden = hidden
    self.encoding = encoding
    self.experts = experts
    self.expertsPerToken = expertsPerToken
    self.layers = layers
    self.ranks = ranks
    self.epoch = epoch
    bytesPerToken = max(
      8 + 6 * expertsPerToken + max(hidden * 4, encoding.rowBytes(columns: hidden)), 6 * expertsPerToken + experts * 4)
    self.maxMessageBytes = max(
      min(maxMessageBytes, Self.largestMessage), Self.bytesOfFixedParts + bytesPerToken)
  }

  /// The most tokens that a message of any kind takes.
  public var maxTokensPerMessage: Int {
    (maxMessageBytes - Self.bytesOfFixedParts) / bytesPerToken
  }

  /// The most partial sums that a message takes.
  public var maxRowsPerMessage: Int { (maxMessageBytes - Self.bytesOfFixedParts) / (hidden * 4 + 8) }

  /// Header, and padding before rows.
  private static let bytesOfFixedParts = 128
}
