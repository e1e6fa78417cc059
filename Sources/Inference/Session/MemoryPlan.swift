import Checkpoint
import DeepSeek
import ExpertParallel
import Kernels

/// How many bytes the ranks of a placement need, before anything is loaded.
public struct MemoryPlan {
  let configuration: ModelConfiguration
  let formats: WeightFormats
  private let sizes: WeightSizes
  let cacheFormat: CacheFormat
  let placement: Placement
  let prefillChunk: Int
  let sequences: Int
  let threads: Int

  /// - Parameters:
  ///   - sizes: those of the model in these formats, where they are known already.
  ///   - threads: compute threads of a rank.
  public init(
    configuration: ModelConfiguration, formats: WeightFormats, sizes: WeightSizes? = nil, cacheFormat: CacheFormat,
    placement: Placement, prefillChunk: Int, sequences: Int, threads: Int
  ) {
    self.configuration = configuration
    self.formats = formats
    self.sizes = sizes ?? WeightSizes(configuration, formats)
    self.cacheFormat = cacheFormat
    self.placement = placement
    self.prefillChunk = prefillChunk
    self.sequences = sequences
    self.threads = threads
  }

  /// Weights and step buffers of a rank.
  public func bytesWithoutCache(rank: Int) -> Int {
    let owned = placement.experts(of: rank)
    let buffers = (owned.isEmpty ? 0 : hostBytes(owned.count)) + (rank == placement.coordinator ? stepBytes : 0)
    return weightBytes(rank: rank) + buffers
  }

  /// Weights of a rank.
  public func weightBytes(rank: Int) -> Int {
    var bytes = placement.experts(of: rank).reduce(0) { $0 + sizes.experts[$1] }
    if rank == placement.router { bytes += sizes.gates }
    if rank == placement.coordinator {
      bytes += sizes.dense
    } else if let share = placement.share(of: rank) {
      bytes += sizes.shareBytes(ranks: share.count)
    }
    return bytes
  }

  /// Whether a run of this placement divides the dense part by itself, among ranks that share the coordinator's host.
  public var mayDivide: Bool { placement.ranks > 1 && !placement.decidesSlices && sizes.isWorthDividing }

  /// Latent cache of one position of all sequences.
  public var cacheBytesPerPosition: Int {
    sequences
      * LatentCache.bytesPerPosition(
        layers: configuration.layers, latentRank: configuration.latentRank, rotarySize: configuration.ropeDimension,
        format: cacheFormat)
  }

  /// What all of the given ranks (of one host) need with a context.
  public func bytes(ranks: [Int], contextSize: Int) -> Int {
    let cache = ranks.contains(placement.coordinator) ? contextSize * cacheBytesPerPosition : 0
    return ranks.reduce(cache) { $0 + bytesWithoutCache(rank: $1) }
  }

  /// The longest context that fits, at most what the model allows; nil where not even one token does.
  public func contextThatFits(ranks: [Int], available: Int) -> Int? {
    guard ranks.contains(placement.coordinator) else { return configuration.maxPositions }
    let room = available - available / 20 - bytes(ranks: ranks, contextSize: 0)
    let positions = min(configuration.maxPositions, room / max(cacheBytesPerPosition, 1))
    return positions > 0 ? positions : nil
  }

  /// Buffers of an expert host of so many experts: input, intermediate and weighted rows of a whole dispatch.
  public func hostBytes(_ owned: Int) -> Int {
    let rows = prefillChunk + sequences
    let input = formats.dispatchEncoding(hidden: configuration.hidden).rowBytes(columns: configuration.hidden)
    let perRow = 4 * (configuration.hidden + configuration.expertIntermediate) + input
    return rows * min(owned, configuration.expertsPerToken) * perRow
  }

  /// Buffers of the coordinator: rows of the workspace, see ``Workspace``.
  public var stepBytes: Int {
    let c = configuration
    let rows = prefillChunk + sequences
    let widest = max(c.denseIntermediate, c.expertIntermediate * max(c.sharedExperts, 1))
    let perRow =
      c.hidden * 4 + c.heads * (c.headDimension + c.valueDimension + 2) + (c.queryRank ?? 1)
      + c.latentRank + c.ropeDimension + widest + c.hidden / 2
    let latentQueries = 2 * EngineLimits.absorbedRows(sequences: sequences) * c.heads * c.latentRank
    let divided = 2 * min(rows, SliceShare.mostTokens) * c.denseIntermediate
    let logits = EngineLimits.logitsRows(sequences: sequences) * c.vocabularySize
    return 4 * (rows * perRow + latentQueries + divided + logits)
      + Workspace.attentionBytes(c, cacheFormat: cacheFormat, threads: threads)
  }
}
