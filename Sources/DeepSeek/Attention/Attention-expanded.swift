import Kernels

extension Attention {
  /// Expanded form for one segment: keys and values of a run of positions are expanded for every head, then every
  /// query of the segment meets the run, block by block. Blocks ascend, so a query sees the same sums in any chunk.
  func attendExpanded(
    _ segment: Segment, layer: Int, queries: ActivationRows, workspace: Workspace, compute: Compute,
    into result: ActivationRows
  ) {
    let expanded = ExpandedAttention(
      shape: AttentionShape(contentSize: nopeSize, rotarySize: rotarySize, valueSize: valueSize, scale: scale),
      heads: heads, up: up, firstPosition: segment.firstPosition,
      queries: queries[rows: segment.firstRow..<segment.firstRow + segment.count],
      cached: segment.cache.rows(layer: layer), scratch: workspace.attention,
      state: SoftmaxState(workspace: workspace, rows: segment.count, heads: heads),
      output: result[rows: segment.firstRow..<segment.firstRow + segment.count], compute: compute)
    let end = segment.firstPosition + segment.count
    for start in stride(from: 0, to: end, by: AttentionScratch.run) {
      let run = start..<min(start + AttentionScratch.run, end)
      expanded.expand(run)
      expanded.attend(to: run, isLast: run.upperBound == end)
    }
  }
}

/// Attention of one segment's rows over expanded keys and values.
struct ExpandedAttention {
  let shape: AttentionShape
  let heads: Int
  let up: UpProjections
  let firstPosition: Int
  /// `[rows, N * (D_n + D_r)]`
  let queries: ActivationRows
  let cached: CachedRows
  let scratch: AttentionScratch
  let state: SoftmaxState
  /// `[rows, N * D_v]`
  let output: ActivationRows
  let compute: Compute

  /// Queries that share what the second-level cache holds of a head's keys and values.
  private static let queriesPerTile = 32

  /// Content keys and values of a run for all heads.
  func expand(_ run: Range<Int>) {
    let latents = compute.encode(latents(run), as: up.encoding, in: scratch.encodedLatents)
    compute.multiplyEach(2 * heads) { index in
      let head = index / 2
      return index % 2 == 0
        ? MatrixProduct(weights: up.key[head], input: latents, output: scratch.keys(head: head, count: run.count))
        : MatrixProduct(weights: up.value[head], input: latents, output: scratch.values(head: head, count: run.count))
    }
  }

  /// Latents of a run as f32, `[run.count, C]`.
  private func latents(_ run: Range<Int>) -> ActivationRows {
    let memory = scratch.runLatents.rows(scratch.runLatents.capacity)
    guard cached.format != .f32 else { return cached.latents(run, scratch: memory, kernels: compute.kernels) }
    compute.forEachRow(run.count, cost: cached.latentRank) { row in
      let position = run.lowerBound + row
      _ = cached.latents(position..<position + 1, scratch: memory[rows: row..<row + 1], kernels: compute.kernels)
    }
    return memory[rows: 0..<run.count]
  }

  /// All rows and heads over a run; one job, a tile for some rows of a head.
  ///
  /// - Parameter isLast: no run follows: the rows are divided by their sums.
  func attend(to run: Range<Int>, isLast: Bool) {
    let rowTiles = (queries.count + Self.queriesPerTile - 1) / Self.queriesPerTile
    compute.pool.run(tiles: heads * rowTiles) { tile in
      let first = tile % rowTiles * Self.queriesPerTile
      let rows = first..<min(first + Self.queriesPerTile, queries.count)
      attend(rows, head: tile / rowTiles, to: run)
      if isLast { finish(rows, head: tile / rowTiles) }
    }
  }

  private func attend(_ rows: Range<Int>, head: Int, to run: Range<Int>) {
    let keys = scratch.keys(head: head, count: run.count)
    let values = scratch.values(head: head, count: run.count)
    for start in stride(from: run.lowerBound, to: run.upperBound, by: AttentionShape.block) {
      let first = max(rows.lowerBound, start - firstPosition)
      guard first < rows.upperBound else { return }
      let offset = start - run.lowerBound
      let count = min(AttentionShape.block, run.upperBound - start)
      let query = queries[first].baseAddress! + head * (shape.contentSize + shape.rotarySize)
      compute.kernels.attend(
        AttentionQueries(
          count: rows.upperBound - first, content: query, contentStride: queries.stride,
          rotary: query + shape.contentSize, rotaryStride: queries.stride),
        to: KeyValueBlock(
          count: count, keyContent: keys[offset].baseAddress!, keyContentStride: keys.stride,
          keyRotary: cached.rotary(start), keyRotaryStride: cached.rotaryStride,
          value: values[offset].baseAddress!, valueStride: values.stride),
        visible: .causal(firstRow: min(count, firstPosition + first + 1 - start)), shape: shape, isFirst: start == 0,
        into: state.rows(
          from: first, head: head, output: output[first].baseAddress! + head * shape.valueSize,
          outputStride: output.stride))
    }
  }

  private func finish(_ rows: Range<Int>, head: Int) {
    for row in rows {
      let values = output[row].baseAddress! + head * shape.valueSize
      compute.kernels.scale(values, by: 1 / state.sum(row, head).pointee, into: values, count: shape.valueSize)
    }
  }
}
