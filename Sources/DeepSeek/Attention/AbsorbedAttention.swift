import Kernels

/// Attention of all absorbed rows of a step over their latents. Rows are cut into spans of positions, so that a
/// single long sequence keeps many threads busy; a span's latents are read once for many heads. Spans give a
/// softmax each, and these are merged in ascending order: how many are computed at once changes no bit.
struct AbsorbedAttention {
  let shape: AttentionShape
  let heads: Int
  /// `[rows, N * C]`
  let latentQueries: ActivationRows
  /// `[rows, N * (D_n + D_r)]`: the rotary part of each head is read.
  let rotaryQueries: ActivationRows
  let headSize: Int
  let scratch: AttentionScratch
  let state: SoftmaxState
  /// `[rows, N * C]`: what comes out, divided by the sums.
  let sums: ActivationRows
  let compute: Compute

  private typealias Spans = UnsafeBufferPointer<AttentionSpan>

  private static let headsPerMerge = 4
  private var latentRank: Int { shape.contentSize }

  /// Takes a row; runs what has been taken where no more fits.
  func add(row: Int, position: Int, cached: CachedRows) {
    for start in stride(from: 0, through: position, by: AttentionScratch.span) {
      if scratch.spans.count == AttentionScratch.spansAtOnce { flush() }
      let end = min(start + AttentionScratch.span, position + 1)
      scratch.spans.append(AttentionSpan(row: row, position: position, cached: cached, positions: start..<end))
    }
  }

  /// Computes the spans that have been taken and merges them into their rows.
  func flush() {
    guard !scratch.spans.isEmpty else { return }
    // Tiles of all threads read them: no tile counts references to the array.
    scratch.spans.withUnsafeBufferPointer { spans in
      let headsPerTile = headsPerTile(spans: spans.count)
      let groups = (heads + headsPerTile - 1) / headsPerTile
      compute.pool.run(tiles: spans.count * groups) { tile, worker in
        let first = tile % groups * headsPerTile
        attend(tile / groups, of: spans, heads: first..<min(first + headsPerTile, heads), worker: worker)
      }
      let mergeGroups = (heads + Self.headsPerMerge - 1) / Self.headsPerMerge
      compute.pool.run(tiles: spans.count * mergeGroups) { tile in
        let first = tile % mergeGroups * Self.headsPerMerge
        merge(from: tile / mergeGroups, of: spans, heads: first..<min(first + Self.headsPerMerge, heads))
      }
    }
    scratch.spans.removeAll(keepingCapacity: true)
  }

  /// As many heads as share what the second-level cache holds, fewer where threads would have nothing to do, but never
  /// fewer than the kernel takes together.
  private func headsPerTile(spans: Int) -> Int {
    let fewest = max(4, compute.kernels.attentionRows)
    var count = 16
    while count > fewest && spans * ((heads + count - 1) / count) < 4 * compute.pool.threads { count /= 2 }
    return count
  }

  /// Some heads of one span, block by block.
  private func attend(_ index: Int, of spans: Spans, heads: Range<Int>, worker: Int) {
    let span = spans[index]
    let rotary = rotaryQueries[span.row].baseAddress! + heads.lowerBound * headSize + (headSize - shape.rotarySize)
    let queries = AttentionQueries(
      count: heads.count, content: latentQueries[span.row].baseAddress! + heads.lowerBound * latentRank,
      contentStride: latentRank, rotary: rotary, rotaryStride: headSize)
    let output = SoftmaxRows(
      maximum: spanMaxima(index) + heads.lowerBound, sum: spanSums(index) + heads.lowerBound, stride: 1,
      output: spanOutput(index) + heads.lowerBound * latentRank, outputStride: latentRank)
    let memory = scratch.block(worker: worker, latentRank: latentRank)
    // One tile asks the memory for the latents; those of the other heads find them in the cache.
    let fetchesAhead = heads.lowerBound == 0
    for start in stride(from: span.positions.lowerBound, to: span.positions.upperBound, by: AttentionShape.block) {
      let end = min(start + AttentionShape.block, span.positions.upperBound)
      // Beyond the span too: who computes it mostly goes on with the next.
      let next = end..<min(end + AttentionShape.block, span.position + 1)
      compute.kernels.attend(
        queries, to: span.cached.block(start..<end, scratch: memory), visible: .all, shape: shape,
        isFirst: start == span.positions.lowerBound,
        upcoming: fetchesAhead && !next.isEmpty ? span.cached.bytes(next) : .init(start: nil, count: 0), into: output)
    }
  }

  /// Where a span is the first of its row in this turn: merges all of the row's spans, ascending, into the row.
  private func merge(from first: Int, of spans: Spans, heads: Range<Int>) {
    let row = spans[first].row
    guard first == 0 || spans[first - 1].row != row else { return }
    var index = first
    while index < spans.count && spans[index].row == row {
      for head in heads { merge(index, spans[index], head: head) }
      index += 1
    }
  }

  private func merge(_ index: Int, _ span: AttentionSpan, head: Int) {
    let (maximum, sum) = (state.maximum(span.row, head), state.sum(span.row, head))
    let output = sums[span.row].baseAddress! + head * latentRank
    let later = spanOutput(index) + head * latentRank
    if span.positions.lowerBound == 0 {
      if span.isLast {
        compute.kernels.scale(later, by: 1 / spanSums(index)[head], into: output, count: latentRank)
        return
      }
      maximum.pointee = spanMaxima(index)[head]
      sum.pointee = spanSums(index)[head]
      output.update(from: later, count: latentRank)
    } else {
      compute.kernels.mergeSoftmax(
        maximum: maximum, sum: sum, output: output, laterMaximum: spanMaxima(index)[head],
        laterSum: spanSums(index)[head], laterOutput: later, count: latentRank)
    }
    if span.isLast { compute.kernels.scale(output, by: 1 / sum.pointee, into: output, count: latentRank) }
  }

  private func spanOutput(_ index: Int) -> UnsafeMutablePointer<Float> {
    scratch.spanOutputs.rows(AttentionScratch.spansAtOnce)[index].baseAddress!
  }

  private func spanMaxima(_ index: Int) -> UnsafeMutablePointer<Float> {
    scratch.spanMaxima.rows(AttentionScratch.spansAtOnce)[index].baseAddress!
  }

  private func spanSums(_ index: Int) -> UnsafeMutablePointer<Float> {
    scratch.spanSums.rows(AttentionScratch.spansAtOnce)[index].baseAddress!
  }
}
