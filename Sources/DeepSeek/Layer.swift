import Kernels

/// What a step carries through the layers.
struct Step {
  let batch: Batch
  let workspace: Workspace
  let compute: Compute
  let fabric: any ExpertFabric
  let observer: (any ForwardObserver)?
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

  /// `hidden += attention(norm(hidden)); hidden += feedForward(norm(hidden))`, `[T, H]` in place.
  func callAsFunction(_ hidden: ActivationRows, _ step: Step) throws {
    let normed = step.workspace.normed.rows(hidden.count)
    let branch = step.workspace.branch.rows(hidden.count)
    step.compute.measure(.attention) {
      step.compute.rmsNorm(hidden, weight: attentionNorm, epsilon: epsilon, into: normed)
      attention(normed, step.batch, layer: index, workspace: step.workspace, compute: step.compute, into: branch)
      step.compute.add(branch, to: hidden)
      step.compute.rmsNorm(hidden, weight: feedForwardNorm, epsilon: epsilon, into: normed)
    }
    try feedForward(normed, layer: index, step, into: branch)
    step.compute.add(branch, to: hidden)
    step.observer?.layerDone(index, hidden: hidden)
  }
}

/// The second half of a layer.
enum LayerFeedForward {
  case dense(FeedForward)
  /// Routed experts are wherever the fabric reaches them; the shared one (if any) is here.
  case mixture(shared: FeedForward?)

  /// `[T, H] -> [T, H]`. The shared expert runs while the routed ones are away.
  func callAsFunction(_ input: ActivationRows, layer: Int, _ step: Step, into output: ActivationRows) throws {
    let (workspace, compute) = (step.workspace, step.compute)
    switch self {
    case .dense(let dense):
      compute.measure(.denseFeedForward) {
        dense.run(input, workspace, compute, into: output)
      }
    case .mixture(let shared):
      let ticket = try step.fabric.dispatch(input, layer: layer)
      if let shared {
        compute.measure(.sharedExpert) {
          shared.run(input, workspace, compute, into: output)
        }
        let routed = workspace.routed.rows(input.count)
        try step.fabric.combine(ticket, into: routed)
        compute.add(routed, to: output)
      } else {
        try step.fabric.combine(ticket, into: output)
      }
      step.observer?.routed(layer, step.fabric.routing)
    }
  }
}
