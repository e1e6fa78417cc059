import Kernels

extension Step {
  /// `output = input x weightsᵀ`, with the ranks that hold rows of these weights too.
  func multiply(
    _ part: SlicedPart, layer: Int, _ input: ProductInput, _ weights: PackedMatrix, into output: ActivationRows
  ) throws {
    try inQuestions(of: input.count) { rows in
      let (input, output) = (input[rows: rows], output[rows: rows])
      try fabric.share(SlicedProduct(part, layer: layer, input: input, output: output)) { own in
        compute.multiply(input, weights, rows: own, into: output)
      }
    }
  }

  /// A dense layer's feed-forward, divided.
  func divide(_ network: FeedForward, layer: Int, _ input: ActivationRows, into output: ActivationRows) throws {
    let encoded = compute.encode(input, as: network.encoding, in: workspace.encoded)
    try inQuestions(of: input.count) { rows in
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

  /// Some of the rows at a time where other ranks are asked, else all at once.
  private func inQuestions(of rows: Int, _ body: (Range<Int>) throws -> Void) rethrows {
    let most = fabric.divides(tokens: rows) ? SliceShare.mostTokens : rows
    for first in stride(from: 0, to: rows, by: max(most, 1)) { try body(first..<min(first + most, rows)) }
  }
}
