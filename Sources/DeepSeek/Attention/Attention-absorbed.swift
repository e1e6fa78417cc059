import Kernels

extension Attention {
  /// Absorbed form for the batch's first rows. Latent queries are wide, so only so many rows at a time have theirs.
  func attendAbsorbed(
    _ batch: Batch, layer: Int, queries: ActivationRows, workspace: Workspace, compute: Compute,
    into result: ActivationRows
  ) {
    for first in stride(from: 0, to: batch.absorbedRows, by: workspace.maxAbsorbedRows) {
      let rows = first..<min(first + workspace.maxAbsorbedRows, batch.absorbedRows)
      attendAbsorbedTurn(
        batch.slice(rows), layer: layer, queries: queries[rows: rows], workspace: workspace, compute: compute,
        into: result[rows: rows])
    }
  }

  /// Queries go to the latent space, attention reads the latents themselves as keys and values, and the sum comes
  /// back through the value projection.
  private func attendAbsorbedTurn(
    _ batch: Batch, layer: Int, queries: ActivationRows, workspace: Workspace, compute: Compute,
    into result: ActivationRows
  ) {
    let rows = batch.rows
    let latentQueries = workspace.latentQueries.rows(rows)
    let latentSums = workspace.latentSums.rows(rows)
    let headSize = nopeSize + rotarySize
    compute.multiplyEach(heads) { head in
      MatrixProduct(
        weights: up.keyTransposed[head],
        input: queries[columns: head * headSize..<head * headSize + nopeSize],
        output: latentQueries[columns: head * latentRank..<(head + 1) * latentRank])
    }

    let absorbed = AbsorbedAttention(
      shape: AttentionShape(contentSize: latentRank, rotarySize: rotarySize, valueSize: latentRank, scale: scale),
      heads: heads, latentQueries: latentQueries, rotaryQueries: queries, headSize: headSize,
      scratch: workspace.attention,
      state: SoftmaxState(workspace: workspace, rows: rows, heads: heads), sums: latentSums, compute: compute)
    for segment in batch.segments {
      for index in 0..<segment.count {
        absorbed.add(
          row: segment.firstRow + index, position: segment.firstPosition + index,
          cached: segment.cache.rows(layer: layer))
      }
    }
    absorbed.flush()

    compute.multiplyEach(heads) { head in
      MatrixProduct(
        weights: up.value[head],
        input: latentSums[columns: head * latentRank..<(head + 1) * latentRank],
        output: result[columns: head * valueSize..<(head + 1) * valueSize])
    }
  }
}
