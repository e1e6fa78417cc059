import Kernels

/// The products of the dense part whose output rows several ranks may divide. Values are part of the wire format.
///
/// An output row is one chain of multiply-adds over its own weights, so it does not matter which rank computes it.
public enum SlicedPart: UInt8, CaseIterable, Sendable {
  /// From the query's latent (or the hidden row) to the queries of all heads, `[N * (D_n + D_r)]`.
  case queries = 0
  /// From all heads' values to the residual stream, `[H]`.
  case attentionOutput = 1
  /// A dense layer's gate and up projections with SwiGLU, `[I]`.
  case activations = 2
  /// A dense layer's down projection, `[H]`.
  case down = 3
  /// Logits, `[V]`; of no layer, so its layer is 0.
  case head = 4
}

/// A rank's share of the output rows of every product that is divided.
public struct SliceShare: Sendable, Equatable {
  /// Most rows of input of a question to other ranks; more are asked for one after the other.
  public static let mostTokens = 128
  /// Most rows of input of a product that is divided wherever its ranks are and while experts work: more would fill a
  /// network, and a prompt's overlap with experts instead.
  public static let mostTokensBesideExperts = 32

  /// From 0, the coordinator's.
  public let index: Int
  /// Ranks that have a share.
  public let count: Int

  public init(index: Int, count: Int) {
    precondition(count > 0 && (0..<count).contains(index))
    self.index = index
    self.count = count
  }

  /// Whole panels, as even as they can be, the first ranks' one more; of the last ranks none where there are too few.
  public func rows(of total: Int) -> Range<Int> {
    let panels = (total + PackedMatrix.panelRows - 1) / PackedMatrix.panelRows
    func start(_ index: Int) -> Int { min(total, (index * panels + count - 1) / count * PackedMatrix.panelRows) }
    return start(index)..<start(index + 1)
  }
}

/// A product of the dense part, for some tokens.
public struct SlicedProduct {
  public let part: SlicedPart
  public let layer: Int
  /// `[tokens, columns]`, as the weights want it.
  public let input: ProductInput
  /// `[tokens, rows]` f32: of all ranks' rows.
  public let output: ActivationRows

  public init(_ part: SlicedPart, layer: Int, input: ProductInput, output: ActivationRows) {
    precondition(input.count == output.count)
    self.part = part
    self.layer = layer
    self.input = input
    self.output = output
  }

  /// Of all ranks' rows together.
  public var wholeShape: SliceShape {
    SliceShape(columns: input.columns, encoding: input.encoding, rows: output.columns)
  }
}
