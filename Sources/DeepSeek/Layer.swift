import Kernels

/// What a step carries through the layers.
struct Step {
  let workspace: Workspace
  let compute: Compute
  let fabric: any ExpertFabric
  let observer: (any ForwardObserver)?
  let routingTap: (any RoutingTap)?
}

/// One transformer layer on the coordinator: attention, then a dense or an expert-parallel feed-forward.
final class Layer {
  let index: Int
  let attentionNorm: [Float]
  let attention: Attention
  let feedForwardNorm: [Float]
  let feedForward: LayerFeedForward
  let epsilon: Float

  init(
    index: Int, attentionNorm: [Float], attention: Attention, feedForwardNorm: [Float],
    feedForward: LayerFeedForward, epsilon: Float
  ) {
    self.index = index
    self.attentionNorm = attentionNorm
    self.attention = attention
    self.feedForwardNorm = feedForwardNorm
    self.feedForward = feedForward
    self.epsilon = epsilon
  }

  /// `hidden += attention(norm(hidden)); hidden += feedForward(norm(hidden))`, `[T, H]` in place. The second sum
  /// waits for the experts until the part's next layer, or `settle`.
  func callAsFunction(_ part: MicroBatch, _ step: Step) throws {
    try part.settle(step)
    let (hidden, normed, branch) = (part.hidden, part.normed, part.branch)
    try step.compute.measure(.attention) {
      step.compute.rmsNorm(hidden, weight: attentionNorm, epsilon: epsilon, into: normed)
      try attention(normed, part.batch, layer: index, step, into: branch)
      step.compute.add(branch, to: hidden)
      step.compute.rmsNorm(hidden, weight: feedForwardNorm, epsilon: epsilon, into: normed)
    }
    part.expect(try feedForward.start(normed, layer: index, step, into: branch), of: self)
  }
}

/// The second half of a layer.
enum LayerFeedForward {
  case dense(FeedForward)
  /// Routed experts are wherever the fabric reaches them; the shared one (if any) is here.
  case mixture(shared: FeedForward?)

  var hasSharedExpert: Bool { if case .mixture(.some) = self { true } else { false } }

  /// `[T, H] -> [T, H]`: what is computed here goes into `output`, while the routed experts work elsewhere.
  ///
  /// - Returns: the ticket for their sum.
  func start(
    _ input: ActivationRows, layer: Int, _ step: Step, into output: ActivationRows
  ) throws -> DispatchTicket? {
    let (workspace, compute) = (step.workspace, step.compute)
    switch self {
    case .dense(let dense):
      try compute.measure(.denseFeedForward) {
        guard step.fabric.divides(tokens: input.count) else {
          return dense.run(input, workspace, compute, into: output)
        }
        try step.divide(dense, layer: layer, input, into: output)
      }
      return nil
    case .mixture(let shared):
      let ticket = try step.fabric.dispatch(input, layer: layer)
      if let shared { compute.measure(.sharedExpert) { shared.run(input, workspace, compute, into: output) } }
      return ticket
    }
  }
}
