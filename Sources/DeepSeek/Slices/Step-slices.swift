import Kernels

extension Step {
  /// `output = input x weightsᵀ`, with the ranks that hold rows of these weights too.
  func multiply(
    _ part: SlicedPart, layer: Int, _ input: ProductInput, _ weights: PackedMatrix, into output: ActivationRows
  ) throws {
    try fabric.share(SlicedProduct(part, layer: layer, input: input, output: output)) { own in
      compute.multiply(input, weights, rows: own, into: output)
    }
  }

  /// A dense layer's feed-forward of few tokens, divided.
  func divide(_ network: FeedForward, layer: Int, _ input: ActivationRows, into output: ActivationRows) throws {
    let encoded = compute.encode(input, as: network.encoding, in: workspace.encoded)
    let gated = workspace.gated.rows(input.count, columns: network.intermediate)
    let upped = workspace.upped.rows(input.count, columns: network.intermediate)
    try fabric.share(SlicedProduct(.activations, layer: layer, input: encoded, output: gated)) { own in
      compute.multiply(encoded, network.gate, rows: own, into: gated)
      compute.multiply(encoded, network.up, rows: own, into: upped)
      compute.siluProduct(gate: gated[columns: own], up: upped[columns: own], into: gated[columns: own])
    }
    try multiply(.down, layer: layer, compute.encode(gated, for: network.down), network.down, into: output)
  }
}
