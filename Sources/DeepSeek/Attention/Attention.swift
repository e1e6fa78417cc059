import Checkpoint
import Kernels

/// Multi-head latent attention of one layer.
///
/// Shapes: T rows, H hidden, N heads, C latent rank, D_n, D_r, D_v the head's content, rotary and value sizes.
/// Source: DeepSeek-V3 report, eq. 1 to 11.
public final class Attention {
  let heads: Int
  let nopeSize: Int
  let rotarySize: Int
  let valueSize: Int
  let latentRank: Int
  let scale: Float
  let epsilon: Float
  let query: QueryProjection
  /// `[C + D_r, H]`: latent and rotary key of a token.
  let keyValueDown: PackedMatrix
  /// `[C]`
  let latentNorm: [Float]
  let up: UpProjections
  /// `[H, N * D_v]`
  let output: PackedMatrix
  let rotary: RotaryTable

  init(weights: AttentionWeights, configuration: ModelConfiguration, rotary: RotaryTable) {
    heads = configuration.heads
    nopeSize = configuration.nopeDimension
    rotarySize = configuration.ropeDimension
    valueSize = configuration.valueDimension
    latentRank = configuration.latentRank
    scale = Rotary.softmaxScale(configuration)
    epsilon = Float(configuration.normEpsilon)
    query = weights.query
    keyValueDown = weights.keyValueDown
    latentNorm = weights.latentNorm
    up = weights.up
    output = weights.output
    self.rotary = rotary
  }

  /// Attention of the batch's rows over their own sequences: `[T, H] -> [T, H]`, input normed.
  /// Writes the rows' latents and rotary keys into their caches first.
  func callAsFunction(
    _ input: ActivationRows, _ batch: Batch, layer: Int, _ step: Step, into result: ActivationRows
  ) throws {
    let (workspace, compute) = (step.workspace, step.compute)
    let input = compute.encode(input, as: keyValueDown.format.encoding, in: workspace.encoded)
    let keyValues = workspace.keyValues.rows(batch.rows)
    let queries = try query(input, and: keyValueDown, into: keyValues, layer: layer, step, epsilon: epsilon)
    for segment in batch.segments {
      remember(segment, layer: layer, queries: queries, keyValues: keyValues, compute: compute)
    }

    let attended = workspace.attended.rows(batch.rows)
    if batch.absorbedRows > 0 {
      attendAbsorbed(batch, layer: layer, queries: queries, workspace: workspace, compute: compute, into: attended)
    }
    for segment in batch.segments where segment.form == .expanded {
      attendExpanded(segment, layer: layer, queries: queries, workspace: workspace, compute: compute, into: attended)
    }
    try step.multiply(
      .attentionOutput, layer: layer, compute.encode(attended, for: output), output, into: result)
  }

  /// Norms the latents, rotates the rotary parts of queries and keys and writes the cache rows of a segment.
  private func remember(
    _ segment: Segment, layer: Int, queries: ActivationRows, keyValues: ActivationRows, compute: Compute
  ) {
    let cached = segment.cache.rows(layer: layer)
    let headSize = nopeSize + rotarySize
    compute.forEachRow(segment.count, cost: heads * rotarySize * 4) { index in
      let row = segment.firstRow + index
      let position = segment.firstPosition + index
      let latent = keyValues[rows: row..<row + 1][columns: 0..<latentRank]
      compute.rmsNormOnThisThread(latent, weight: latentNorm, epsilon: epsilon, into: latent)
      cached.store(latent.base, at: position, kernels: compute.kernels)
      let rotaryKey = cached.rotary(position)
      rotaryKey.update(from: keyValues[row].baseAddress! + latentRank, count: rotarySize)
      rotary.rotate(rotaryKey, vectors: 1, stride: rotarySize, position: position, kernels: compute.kernels)
      rotary.rotate(
        queries[row].baseAddress! + nopeSize, vectors: heads, stride: headSize, position: position,
        kernels: compute.kernels)
    }
  }
}

/// From hidden rows to the queries of all heads, `[T, N * (D_n + D_r)]`.
enum QueryProjection {
  /// One matrix, as in V2-Lite.
  case direct(PackedMatrix)
  /// Down to the query rank, norm, and up.
  case lowRank(down: PackedMatrix, norm: [Float], up: PackedMatrix)

  /// - Parameters:
  ///   - keyValueDown: applied to the same input, in the same job where that can be.
  ///   - keyValues: what that gives.
  func callAsFunction(
    _ input: ProductInput, and keyValueDown: PackedMatrix, into keyValues: ActivationRows, layer: Int, _ step: Step,
    epsilon: Float
  ) throws -> ActivationRows {
    let (workspace, compute) = (step.workspace, step.compute)
    let queries = workspace.queries.rows(input.count)
    switch self {
    case .direct(let matrix):
      compute.multiply(input, keyValueDown, into: keyValues)
      try step.multiply(.queries, layer: layer, input, matrix, into: queries)
    case .lowRank(let down, let norm, let up):
      let latent = workspace.queryLatents.rows(input.count)
      compute.multiply(input, down, into: latent, and: keyValueDown, into: keyValues)
      compute.rmsNorm(latent, weight: norm, epsilon: epsilon, into: latent)
      try step.multiply(.queries, layer: layer, compute.encode(latent, for: up), up, into: queries)
    }
    return queries
  }
}

/// `kv_b_proj`, head by head, as the two forms read it.
struct UpProjections {
  /// Per head `[D_n, C]`: the key's content part from a latent (expanded form).
  let key: [PackedMatrix]
  /// Per head `[C, D_n]`: the same, transposed, to take a query to the latent space (absorbed form).
  let keyTransposed: [PackedMatrix]
  /// Per head `[D_v, C]`: the value from a latent (both forms).
  let value: [PackedMatrix]
  /// How keys and values want latents.
  var encoding: ActivationEncoding { value[0].format.encoding }
}
