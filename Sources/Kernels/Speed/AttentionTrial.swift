/// Attention over keys and values that mean nothing, made to see how fast it goes with such sizes.
public final class AttentionTrial {
  /// Which way attention goes.
  public enum Form: String, Sendable, CaseIterable, Codable {
    /// Generated positions: heads that look at latents, which are f16 and keys and values at once.
    case absorbed
    /// Positions of a prompt: queries of one head that look at its own keys and values.
    case expanded

    /// That look at the same keys, as a run has them: heads, or queries.
    fileprivate var rows: Int { self == .absorbed ? 16 : 32 }
  }

  private let form: Form
  private let shape: AttentionShape
  private let compute: Compute
  /// One for each thread.
  private let scratch: [Scratch]

  private var rows: Int { form.rows }
  private static let blocks = 8

  /// Sizes are multiples of 16.
  public init(_ form: Form, content: Int, rotary: Int, value: Int, _ compute: Compute) {
    self.form = form
    shape = AttentionShape(contentSize: content, rotarySize: rotary, valueSize: value, scale: 0.07)
    self.compute = compute
    scratch = (0..<compute.pool.threads).map { _ in
      Scratch(rows: form.rows, content: content, rotary: rotary, value: value)
    }
  }

  /// Multiply-adds of one call.
  public var multiplyAdds: Int {
    rows * Self.blocks * AttentionShape.block * (shape.contentSize + shape.rotarySize + shape.valueSize)
  }

  /// `calls` of every thread, each over memory of its own.
  public func run(calls: Int) {
    compute.pool.run(tiles: compute.pool.threads) { [self] tile in
      for _ in 0..<calls { attend(scratch[tile]) }
    }
  }

  /// What came out: all values are equal, and so are these, one for each row and thread.
  package var means: [Float] {
    scratch.flatMap { scratch in (0..<rows).map { scratch.output[$0][0] / scratch.state.base[rows + $0] } }
  }

  private func attend(_ scratch: Scratch) {
    let (content, block) = (shape.contentSize, AttentionShape.block)
    let queries = AttentionQueries(
      count: rows, content: scratch.queries.base, contentStride: scratch.queries.stride,
      rotary: scratch.queries.base + content, rotaryStride: scratch.queries.stride)
    for index in 0..<Self.blocks {
      let halves = HalfKeys(
        base: scratch.latents + index * block * content, stride: content, widened: scratch.keys.base)
      let values = form == .absorbed ? scratch.keys : scratch.values
      let keys = KeyValueBlock(
        count: block, keyContent: scratch.keys.base, keyContentStride: scratch.keys.stride,
        keyRotary: scratch.rotary.base, keyRotaryStride: scratch.rotary.stride, value: values.base,
        valueStride: values.stride, halves: form == .absorbed ? halves : nil)
      compute.kernels.attend(
        queries, to: keys, visible: .all, shape: shape, isFirst: index == 0,
        into: SoftmaxRows(
          maximum: scratch.state.base, sum: scratch.state.base + rows, stride: 1, output: scratch.output.base,
          outputStride: scratch.output.stride))
    }
  }
}

extension AttentionTrial {
  /// What one thread works on.
  private final class Scratch: @unchecked Sendable {
    private let buffers: [ActivationBuffer]
    /// `[blocks * positions of a block, content]`, f16: ones.
    let latents: UnsafeMutablePointer<UInt16>
    let queries: ActivationRows
    let keys: ActivationRows
    let values: ActivationRows
    let rotary: ActivationRows
    let output: ActivationRows
    /// `[2, rows]`: maxima and sums.
    let state: ActivationRows

    init(rows: Int, content: Int, rotary: Int, value: Int) {
      let block = AttentionShape.block
      let sizes = [
        (rows, content + rotary), (block, content), (block, value), (block, rotary), (rows, value), (2, rows),
      ]
      buffers = sizes.map { ActivationBuffer(capacity: $0.0, columns: $0.1) }
      let windows = zip(buffers, sizes).map { $0.rows($1.0) }
      (queries, keys, values) = (windows[0], windows[1], windows[2])
      (self.rotary, output, state) = (windows[3], windows[4], windows[5])
      let count = AttentionTrial.blocks * block * content
      latents = .allocate(capacity: count)
      latents.initialize(repeating: 0x3c00, count: count)
      for window in windows.prefix(4) {
        for row in 0..<window.count { window[row].update(repeating: 0.01) }
      }
    }

    deinit { latents.deallocate() }
  }
}
