import Kernels

/// The gates of all layers: which experts a token visits. Held by the router rank.
public protocol TokenGate: AnyObject {
  var expertCount: Int { get }
  var expertsPerToken: Int { get }
  var hidden: Int { get }
  /// Fills `routing` (resized to `tokens.count`) for normed tokens `[T, hidden]` f32 of a layer;
  /// `routing.logits` too where `wantsLogits`.
  func route(_ tokens: ActivationRows, layer: Int, wantsLogits: Bool, into routing: inout Routing)
  /// Token rows as the hosts of the experts take them, `[T, hidden]`; valid until the next call.
  func encode(_ tokens: ActivationRows, as encoding: ActivationEncoding) -> ProductInput
  /// Whether the layer has routed experts at all.
  func hasExperts(layer: Int) -> Bool
}

/// The routed experts that live on a rank.
public protocol ExpertShard: AnyObject {
  var hidden: Int { get }
  /// What input rows must be.
  var encoding: ActivationEncoding { get }
  func holds(expert: Int, layer: Int) -> Bool
  /// Runs experts, each over its own rows:
  /// `output[row] = weights[row] * down(silu(gate(x)) * up(x))` with `x = input[sources[row]]`.
  func apply(_ work: ExpertRows, layer: Int)
}

/// What some experts of a layer are to do.
public struct ExpertRows {
  /// An expert and its rows of `sources`, `weights` and `output`.
  public struct Group: Sendable, Equatable {
    public let expert: Int
    public let rows: Range<Int>

    public init(expert: Int, rows: Range<Int>) {
      self.expert = expert
      self.rows = rows
    }
  }

  /// With rows that ascend without gaps.
  public let groups: [Group]
  /// `[tokens, hidden]` in the shard's encoding.
  public let input: ProductInput
  /// `[rows]`: the input row of each.
  public let sources: UnsafeBufferPointer<Int32>
  /// `[rows]`: gate weights.
  public let weights: UnsafeBufferPointer<Float>
  /// `[rows, hidden]` f32
  public let output: ActivationRows

  public init(
    groups: [Group], input: ProductInput, sources: UnsafeBufferPointer<Int32>, weights: UnsafeBufferPointer<Float>,
    output: ActivationRows
  ) {
    precondition(sources.count == output.count && weights.count == output.count)
    self.groups = groups
    self.input = input
    self.sources = sources
    self.weights = weights
    self.output = output
  }
}
