import Kernels

/// Rows of the dense part's products that a rank holds for the coordinator.
public protocol DenseShard: AnyObject {
  /// What a product takes and gives here; nil where this rank has no rows of it.
  func shape(of part: SlicedPart, layer: Int) -> SliceShape?
  /// Some tokens' outputs: `[tokens, columns] -> [tokens, rows here]`, f32.
  func apply(_ part: SlicedPart, layer: Int, _ input: ProductInput, into output: ActivationRows)
}

/// Shape of a product where its rows are divided.
public struct SliceShape: Sendable, Equatable {
  /// Of the input.
  public let columns: Int
  /// What the input must be.
  public let encoding: ActivationEncoding
  /// Output rows here.
  public let rows: Int

  public init(columns: Int, encoding: ActivationEncoding, rows: Int) {
    self.columns = columns
    self.encoding = encoding
    self.rows = rows
  }
}

/// The slices that a rank has loaded: its rows of every divided matrix, as matrices of their own.
public final class DenseSlices: DenseShard {
  /// One layer's, nil where there are none.
  struct Layer {
    var queries: PackedMatrix?
    var attentionOutput: PackedMatrix?
    var gate: PackedMatrix?
    var up: PackedMatrix?
    var down: PackedMatrix?
  }

  private let layers: [Layer]
  private let head: PackedMatrix?
  private let compute: Compute
  /// Up projections, `[tokens, rows here]`.
  private let upped: ActivationBuffer

  init(layers: [Layer], head: PackedMatrix?, compute: Compute) {
    self.layers = layers
    self.head = head
    self.compute = compute
    let widest = layers.map { $0.up?.rows ?? 1 }.max() ?? 1
    upped = ActivationBuffer(capacity: SliceShare.mostTokens, columns: widest)
  }

  public func shape(of part: SlicedPart, layer: Int) -> SliceShape? {
    matrix(part, layer: layer).map { SliceShape(columns: $0.columns, encoding: $0.format.encoding, rows: $0.rows) }
  }

  public func apply(_ part: SlicedPart, layer: Int, _ input: ProductInput, into output: ActivationRows) {
    guard let weights = matrix(part, layer: layer) else { preconditionFailure("no rows of \(part) of layer \(layer)") }
    compute.multiply(input, weights, into: output)
    guard part == .activations, let up = layers[layer].up else { return }
    let upped = upped.rows(input.count, columns: up.rows)
    compute.multiply(input, up, into: upped)
    compute.siluProduct(gate: output, up: upped, into: output)
  }

  private func matrix(_ part: SlicedPart, layer: Int) -> PackedMatrix? {
    guard layers.indices.contains(layer) else { return nil }
    return switch part {
    case .queries: layers[layer].queries
    case .attentionOutput: layers[layer].attentionOutput
    case .activations: layers[layer].gate
    case .down: layers[layer].down
    case .head: layer == 0 ? head : nil
    }
  }
}
