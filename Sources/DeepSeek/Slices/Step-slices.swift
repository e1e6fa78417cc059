import Kernels

extension Step {
  /// `output = input x weightsᵀ`, with the ranks that hold rows of these weights too.
  func multiply(
    _ part: SlicedPart, layer: Int, _ input: ProductInput, _ weights: PackedMatrix, into output: ActivationRows
  ) throws {
    let whole = SliceShape(columns: input.columns, encoding: input.encoding, rows: weights.rows)
    try inQuestions(input.count, of: whole) { rows in
      let (input, output) = (input[rows: rows], output[rows: rows])
      try fabric.share(SlicedProduct(part, layer: layer, input: input, output: output)) { own in
        compute.multiply(input, weights, rows: own, into: output)
      }
    }
  }

  /// A dense layer's feed-forward, divided.
  func divide(_ network: FeedForward, layer: Int, _ input: ActivationRows, into output: ActivationRows) throws {
    let encoded = compute.encode(input, as: network.encoding, in: workspace.encoded)
    let whole = SliceShape(columns: encoded.columns, encoding: encoded.encoding, rows: network.intermediate)
    try inQuestions(input.count, of: whole) { rows in
      let gated = workspace.gated.rows(rows.count, columns: network.intermediate)
      try activate(network, layer: layer, encoded[rows: rows], into: gated)
      let output = output[rows: rows]
      try multiply(.down, layer: layer, compute.encode(gated, for: network.down), network.down, into: output)
    }
  }

  /// Gate and up projections with SwiGLU.
  private func activate(
    _ network: FeedForward, layer: Int, _ input: ProductInput, into gated: ActivationRows
  ) throws {
    let upped = workspace.upped.rows(input.count, columns: network.intermediate)
    try fabric.share(SlicedProduct(.activations, layer: layer, input: input, output: gated)) { own in
      compute.multiply(input, network.gate, rows: own, into: gated)
      compute.multiply(input, network.up, rows: own, into: upped)
      compute.siluProduct(gate: gated[columns: own], up: upped[columns: own], into: gated[columns: own])
    }
  }

  /// As many tokens at a time as other ranks are asked about, or all at once.
  private func inQuestions(_ tokens: Int, of whole: SliceShape, _ body: (Range<Int>) throws -> Void) rethrows {
    guard tokens > 0 else { return }
    let most = fabric.tokensPerQuestion(tokens, of: whole)
    for first in stride(from: 0, to: tokens, by: most) { try body(first..<min(first + most, tokens)) }
  }
}
