import Checkpoint
import Kernels

/// The memory that attention works in, made once. N heads, C latent rank, D_n and D_v the head's content and
/// value sizes.
package final class AttentionScratch {
  /// Positions that a tile of the absorbed form covers; spans start at multiples of it. It is part of what the bits
  /// are: the results of spans are merged in ascending order. Few, so that one sequence and 16 heads keep 16 threads busy
  /// from 2,048 positions on.
  package static let span = 4 * AttentionShape.block
  /// Spans that are computed before they are merged. More positions, or more sequences, take several turns.
  static let spansAtOnce = 64
  /// Positions that are expanded before queries meet them.
  static let run = 4 * AttentionShape.block

  let format: CacheFormat
  let spanOutputs: ActivationBuffer  // [spans, N * C]
  let spanMaxima: ActivationBuffer  // [spans, N]
  let spanSums: ActivationBuffer  // [spans, N]
  let runLatents: ActivationBuffer  // [run, C] where the cache is not f32
  let encodedLatents: EncodedBuffer  // [run, C] where products want them so
  let runKeys: ActivationBuffer  // [N * run, D_n]
  let runValues: ActivationBuffer  // [N * run, D_v]
  let blockLatents: ActivationBuffer  // [threads * block, C and a gap] where the cache is not f32
  /// Reused from call to call.
  var spans: [AttentionSpan] = []

  init(_ configuration: ModelConfiguration, format: CacheFormat, threads: Int) {
    let c = configuration
    self.format = format
    spanOutputs = ActivationBuffer(capacity: Self.spansAtOnce, columns: c.heads * c.latentRank)
    spanMaxima = ActivationBuffer(capacity: Self.spansAtOnce, columns: c.heads)
    spanSums = ActivationBuffer(capacity: Self.spansAtOnce, columns: c.heads)
    let widens = format != .f32
    runLatents = ActivationBuffer(capacity: widens ? Self.run : 0, columns: c.latentRank)
    encodedLatents = EncodedBuffer(capacity: Self.run, columns: c.latentRank)
    runKeys = ActivationBuffer(capacity: c.heads * Self.run, columns: c.nopeDimension)
    runValues = ActivationBuffer(capacity: c.heads * Self.run, columns: c.valueDimension)
    blockLatents = ActivationBuffer(
      capacity: widens ? threads * AttentionShape.block : 0, columns: Self.widenedStride(rank: c.latentRank))
    spans.reserveCapacity(Self.spansAtOnce)
  }

  /// Bytes that such a scratch takes.
  static func bytes(_ configuration: ModelConfiguration, format: CacheFormat, threads: Int) -> Int {
    let c = configuration
    let widened =
      format == .f32 ? 0 : run * c.latentRank + threads * AttentionShape.block * widenedStride(rank: c.latentRank)
    let expanded = run * c.heads * (c.nopeDimension + c.valueDimension)
    let encoded = run * ActivationEncoding.q8.rowBytes(columns: c.latentRank)
    return encoded + 4 * (spansAtOnce * c.heads * (c.latentRank + 2) + expanded + widened)
  }

  /// Floats from row to row of widened latents: not a power of two, whose rows would share cache sets.
  static func widenedStride(rank: Int) -> Int { (rank + 15) / 16 * 16 + 16 }

  /// Content keys of a head over `count` positions of the run, `[count, D_n]`.
  func keys(head: Int, count: Int) -> ActivationRows {
    runKeys.rows(runKeys.capacity)[rows: head * Self.run..<head * Self.run + count]
  }

  /// Values of a head over `count` positions of the run, `[count, D_v]`.
  func values(head: Int, count: Int) -> ActivationRows {
    runValues.rows(runValues.capacity)[rows: head * Self.run..<head * Self.run + count]
  }

  /// A worker's memory for one block of widened latents, `[block, C]`; none where the cache is f32.
  func block(worker: Int, latentRank: Int) -> ActivationRows {
    let all = blockLatents.rows(blockLatents.capacity)[columns: 0..<latentRank]
    let first = worker * AttentionShape.block
    return all.count == 0 ? all : all[rows: first..<first + AttentionShape.block]
  }
}

/// Some positions that one absorbed query meets in one tile.
struct AttentionSpan {
  /// The query's row in the batch and its position.
  let row: Int
  let position: Int
  let cached: CachedRows
  let positions: Range<Int>

  /// Whether these are the last positions that the query sees.
  var isLast: Bool { positions.upperBound == position + 1 }
}
