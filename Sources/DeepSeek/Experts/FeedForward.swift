import Kernels

/// The weights of `down(silu(gate(x)) * up(x))`: a dense layer's feed-forward, a shared expert or a routed expert.
///
/// Source: DeepSeek-V3 report, 2.1.2. I is the intermediate size.
public struct FeedForward {
  /// `[I, H]`
  let gate: PackedMatrix
  /// `[I, H]`
  let up: PackedMatrix
  /// `[H, I]`
  let down: PackedMatrix

  init(gate: PackedMatrix, up: PackedMatrix, down: PackedMatrix) {
    precondition(gate.rows == up.rows && gate.columns == up.columns && down.columns == gate.rows)
    precondition(gate.format.encoding == up.format.encoding, "one input feeds both")
    self.gate = gate
    self.up = up
    self.down = down
  }

  var intermediate: Int { gate.rows }
  /// Weights in all three matrices.
  var parameters: Int { gate.rows * gate.columns + up.rows * up.columns + down.rows * down.columns }
  var bytes: Int { gate.bytes + up.bytes + down.bytes }
  /// What its input rows must be.
  var encoding: ActivationEncoding { gate.format.encoding }
}

/// What tiles need of a ``FeedForward``, see ``PackedPanels``.
struct FeedForwardPanels {
  let gate: PackedPanels
  let up: PackedPanels
  let down: PackedPanels

  init(_ network: FeedForward) {
    (gate, up, down) = (network.gate.view, network.up.view, network.down.view)
  }

  var intermediate: Int { gate.rows }
  var encoding: ActivationEncoding { gate.format.encoding }
}

extension FeedForward {
  /// All rows of a batch through this one network: `[T, H] -> [T, H]`, f32.
  func run(_ input: ActivationRows, _ workspace: Workspace, _ compute: Compute, into output: ActivationRows) {
    let encoded = compute.encode(input, as: encoding, in: workspace.encoded)
    withExtendedLifetime(self) {
      workspace.feedForward(FeedForwardPanels(self), input: encoded, into: output)
    }
  }
}
