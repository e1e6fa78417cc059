import Kernels

extension Attention {
  /// Absorbed form for the batch's first rows: queries go to the latent space, attention reads the latents
  /// themselves as keys and values, and the sum comes back through the value projection.
  func attendAbsorbed(
    _ batch: Batch, layer: Int, queries: ActivationRows, workspace: Workspace, compute: Compute,
    into result: ActivationRows
  ) {
    let rows = batch.absorbedRows
    let latentQueries = workspace.latentQueries.rows(rows)
    let latentSums = workspace.latentSums.rows(rows)
    let queries = queries[rows: 0..<rows]
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
    for segment in batch.segments where segment.form == .absorbed {
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
        output: result[rows: 0..<rows][columns: head * valueSize..<(head + 1) * valueSize])
    }
  }
}
