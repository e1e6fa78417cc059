import Checkpoint
import Kernels

/// The memory that a step works in, made once. Shapes as in ``Attention``; R the most rows of a step, A the
/// most absorbed rows at a time, I the widest feed-forward, S the most rows of a product that ranks divide.
public final class Workspace {
  public let maxRows: Int
  public let maxAbsorbedRows: Int
  public let maxLogits: Int
  /// How the caches of this workspace's sequences hold latents.
  public var cacheFormat: CacheFormat { attention.format }
  let hidden: ActivationBuffer  // [R, H]
  let normed: ActivationBuffer  // [R, H]
  let branch: ActivationBuffer  // [R, H] what attention or a feed-forward gives
  let routed: ActivationBuffer  // [R, H]
  let queries: ActivationBuffer  // [R, N * (D_n + D_r)]
  let queryLatents: ActivationBuffer  // [R, query rank]
  let keyValues: ActivationBuffer  // [R, C + D_r]
  let attended: ActivationBuffer  // [R, N * D_v]
  let latentQueries: ActivationBuffer  // [A, N * C]
  let latentSums: ActivationBuffer  // [A, N * C]
  let attention: AttentionScratch
  let softmaxMaxima: ActivationBuffer  // [R, N]
  let softmaxSums: ActivationBuffer  // [R, N]
  let encoded: EncodedBuffer  // [R, H] q8
  let feedForward: GroupedFeedForward  // of dense layers and shared experts
  let gated: ActivationBuffer  // [S, I] of dense layers that are divided
  let upped: ActivationBuffer  // [S, I]
  let selected: ActivationBuffer  // [R, H] rows whose logits are wanted
  let logits: ActivationBuffer  // [L, vocabulary]

  /// Bytes of the buffers that attention alone works in, whatever the rows.
  public static func attentionBytes(_ configuration: ModelConfiguration, cacheFormat: CacheFormat, threads: Int) -> Int
  {
    AttentionScratch.bytes(configuration, format: cacheFormat, threads: threads)
  }

  /// - Parameters:
  ///   - maxRows: most tokens of a step.
  ///   - maxAbsorbedRows: most generated positions among them that attention takes at a time; more take turns.
  ///   - maxLogits: most rows whose logits are computed in one go.
  ///   - cacheFormat: of the latent caches that attention will read.
  ///   - compute: what the steps will run on.
  public init(
    _ configuration: ModelConfiguration, maxRows: Int, maxAbsorbedRows: Int, maxLogits: Int, cacheFormat: CacheFormat,
    compute: Compute
  ) {
    self.maxRows = maxRows
    self.maxAbsorbedRows = maxAbsorbedRows
    self.maxLogits = maxLogits
    let c = configuration
    let widest = max(c.denseIntermediate, c.expertIntermediate * max(c.sharedExperts, 1))
    func rows(_ columns: Int) -> ActivationBuffer { ActivationBuffer(capacity: maxRows, columns: columns) }
    hidden = rows(c.hidden)
    normed = rows(c.hidden)
    branch = rows(c.hidden)
    routed = rows(c.hidden)
    queries = rows(c.heads * (c.nopeDimension + c.ropeDimension))
    queryLatents = rows(c.queryRank ?? 1)
    keyValues = rows(c.latentRank + c.ropeDimension)
    attended = rows(c.heads * c.valueDimension)
    latentQueries = ActivationBuffer(capacity: maxAbsorbedRows, columns: c.heads * c.latentRank)
    latentSums = ActivationBuffer(capacity: maxAbsorbedRows, columns: c.heads * c.latentRank)
    attention = AttentionScratch(c, format: cacheFormat, threads: compute.pool.threads)
    softmaxMaxima = rows(c.heads)
    softmaxSums = rows(c.heads)
    encoded = EncodedBuffer(capacity: maxRows, columns: c.hidden)
    feedForward = GroupedFeedForward(capacity: maxRows, widest: widest, compute: compute)
    let divided = min(maxRows, SliceShare.mostTokens)
    gated = ActivationBuffer(capacity: divided, columns: c.denseIntermediate)
    upped = ActivationBuffer(capacity: divided, columns: c.denseIntermediate)
    let widestInput = max(c.hidden, c.heads * c.valueDimension, c.queryRank ?? 1, c.denseIntermediate)
    compute.reserveEncoding(rows: maxRows, columns: widestInput)
    selected = ActivationBuffer(capacity: maxLogits, columns: c.hidden)
    logits = ActivationBuffer(capacity: maxLogits, columns: c.vocabularySize)
  }
}
