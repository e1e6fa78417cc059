/// Products of one weight format and so many rows of input, made to see how fast they go. Neither weights nor rows mean
/// anything.
public final class ProductTrial {
  private let weights: PackedMatrix
  private let input: ProductInput
  /// What owns the input's memory.
  private let inputOwner: AnyObject
  /// One for each thread; a pass over memory takes the first.
  private let outputs: [ActivationBuffer]
  private let compute: Compute

  /// - Parameters:
  ///   - tokens: rows of input.
  ///   - weightRows: rows of the matrix, as far as the buffer has bytes for them; nil: all of these. Few stay in a core's
  ///     cache.
  public init(_ format: WeightFormat, tokens: Int, weightRows: Int?, in buffer: StreamBuffer, _ compute: Compute) {
    precondition(tokens > 0)
    let panelBytes = format.panelBytes(columns: Self.columns)
    let most = buffer.bytes / panelBytes * PackedMatrix.panelRows
    let rows = min(weightRows ?? most, most)
    let bytes = format.bytes(rows: rows, columns: Self.columns)
    weights = PackedMatrix(
      rows: rows, columns: Self.columns, format: format, panels: .init(start: buffer.base, count: bytes), owner: buffer)
    switch format.encoding {
    case .f32:
      let buffer = ActivationBuffer(capacity: tokens, columns: Self.columns)
      (input, inputOwner) = (.f32(buffer.rows(tokens)), buffer)
    case .q8:
      let buffer = EncodedBuffer(capacity: tokens, columns: Self.columns)
      (input, inputOwner) = (.q8(buffer.rows(tokens)), buffer)
    }
    let threads = weightRows == nil ? 1 : compute.pool.threads
    outputs = (0..<threads).map { _ in ActivationBuffer(capacity: tokens, columns: rows) }
    self.compute = compute
  }

  /// Columns of the weights: whole blocks of every format.
  private static let columns = 2048

  /// Bytes of the weights.
  public var bytes: Int { weights.bytes }
  /// Multiply-adds of one product.
  public var multiplyAdds: Int { weights.rows * weights.columns * input.count }

  /// One product with all threads, as a run makes them.
  public func pass() { compute.multiply(input, weights, into: outputs[0].rows(input.count)) }

  /// The product again and again on all threads, each with outputs of its own.
  public func run(tiles: Int, calls: Int) {
    let outputs = outputs
    compute.pool.run(tiles: tiles) { [compute, weights, input] _, worker in
      let output = outputs[worker].rows(input.count)
      for _ in 0..<calls {
        compute.product(weights, panels: 0..<weights.panels, input: input, output: output.base, stride: output.stride)
      }
    }
  }
}
