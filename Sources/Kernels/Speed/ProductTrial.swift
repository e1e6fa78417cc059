/// Products of one weight format and so many rows of input, made to see how fast they go. Neither weights nor rows mean
/// anything.
public final class ProductTrial {
  private var weights: PackedMatrix
  private let input: ProductInput
  /// What owns the input's memory.
  private let inputOwner: AnyObject
  /// One for each thread; a pass over memory takes the first.
  private let outputs: [ActivationBuffer]
  private let compute: Compute
  private let buffer: StreamBuffer
  /// Where the weights begin, in bytes.
  private var offset = 0

  /// Of the weights, unless others are asked for: whole blocks of every format.
  public static let columns = 2048

  /// - Parameters:
  ///   - tokens: rows of input.
  ///   - weightRows: rows of the matrix, as far as the buffer has bytes for them; nil: all of these. Few stay in a core's
  ///     cache.
  ///   - columns: of the weights; whole blocks of the format.
  public init(
    _ format: WeightFormat, tokens: Int, weightRows: Int?, columns: Int = ProductTrial.columns, in buffer: StreamBuffer,
    _ compute: Compute
  ) {
    precondition(tokens > 0)
    let panelBytes = format.panelBytes(columns: columns)
    let most = buffer.bytes / panelBytes * PackedMatrix.panelRows
    let rows = min(weightRows ?? most, most)
    let bytes = format.bytes(rows: rows, columns: columns)
    weights = PackedMatrix(
      rows: rows, columns: columns, format: format, panels: .init(start: buffer.base, count: bytes), owner: buffer)
    switch format.encoding {
    case .f32:
      let rows = ActivationBuffer(capacity: tokens, columns: columns)
      (input, inputOwner) = (.f32(rows.rows(tokens)), rows)
    case .q8:
      let rows = EncodedBuffer(capacity: tokens, columns: columns)
      (input, inputOwner) = (.q8(rows.rows(tokens)), rows)
    }
    let places = weightRows == nil ? 1 : compute.pool.threads
    outputs = (0..<places).map { _ in ActivationBuffer(capacity: tokens, columns: rows) }
    self.compute = compute
    self.buffer = buffer
  }

  public var threads: Int { compute.pool.threads }
  /// Bytes of the weights.
  public var bytes: Int { weights.bytes }
  /// Multiply-adds of one product.
  public var multiplyAdds: Int { weights.rows * weights.columns * input.count }

  /// Takes other weights: the next of the buffer, so that those of the last pass have left the caches.
  public func moveOn() {
    let panelBytes = weights.format.panelBytes(columns: weights.columns)
    let next = offset + weights.panels * panelBytes
    offset = next + weights.bytes <= buffer.bytes ? next : 0
    weights = PackedMatrix(
      rows: weights.rows, columns: weights.columns, format: weights.format,
      panels: .init(start: buffer.base + offset, count: weights.bytes), owner: buffer)
  }

  /// One product with all threads, as a run makes them.
  public func pass() { compute.multiply(input, weights, into: outputs[0].rows(input.count)) }

  /// The product again and again on all threads, each with outputs of its own.
  public func run(tiles: Int, calls: Int) {
    let (outputs, panels) = (outputs, weights.view)
    compute.pool.run(tiles: tiles) { [compute, input] _, worker in
      let output = outputs[worker].rows(input.count)
      for _ in 0..<calls {
        compute.product(panels, panels: 0..<panels.count, input: input, output: output.base, stride: output.stride)
      }
    }
  }
}
