import Checkpoint
import DeepSeek
import Kernels

/// A matrix as a rank holds it while a model runs: some weights lie there twice, in two forms.
public struct HeldMatrix: Sendable {
  /// What it is for.
  public enum Kind: Sendable, Hashable {
    /// Attention without `kv_b_proj`.
    case attention
    /// Keys of `kv_b_proj` for positions of a prompt.
    case keys
    /// The same, transposed, for generated positions.
    case keysTransposed
    /// Values of `kv_b_proj`.
    case values
    case dense, shared, gate, head
    case expert(Int)
  }

  public let kind: Kind
  /// Nil: the head.
  public let layer: Int?
  public let format: WeightFormat
  public let rows: Int
  public let columns: Int
  /// Matrices of this kind and shape, such as one for each head.
  public let count: Int
  /// Whether ranks may divide its rows for generated tokens, see ``SlicedPart``.
  public var isDivisible = false
  /// Matrices of this shape that read the same input, this one included: a feed-forward has gate and up projections.
  public var readersOfInput = 1

  public var bytes: Int { count * format.bytes(rows: rows, columns: columns) }
  /// Weights, which is multiply-adds for a row of input.
  public var weights: Int { count * rows * columns }
}

extension HeldMatrix {
  /// Visits every matrix that the ranks of a run hold together. Without the embedding, which stays in its file unless it
  /// is the head.
  public static func forEach(_ c: ModelConfiguration, _ formats: WeightFormats, _ body: (HeldMatrix) -> Void) {
    let name = c.tiesEmbeddings ? ParameterNames.embedding : ParameterNames.head
    body(
      HeldMatrix(
        kind: .head, layer: nil, format: formats.format(.head, name, columns: c.hidden), rows: c.vocabularySize,
        columns: c.hidden, count: 1, isDivisible: true))
    for layer in 0..<c.layers {
      forEachOfAttention(c, formats, layer, body)
      guard c.isMoE(layer: layer) else {
        feedForward(c, formats, (.dense, .dense), ParameterNames.dense(layer), c.denseIntermediate, layer, body)
        continue
      }
      body(
        HeldMatrix(kind: .gate, layer: layer, format: .f32, rows: c.routedExperts, columns: c.hidden, count: 1))
      if c.sharedExperts > 0 {
        let width = c.sharedExperts * c.expertIntermediate
        feedForward(c, formats, (.shared, .shared), ParameterNames.shared(layer), width, layer, body)
      }
      for id in 0..<c.routedExperts {
        feedForward(
          c, formats, (.expert(id), .experts), ParameterNames.expert(layer, id), c.expertIntermediate, layer, body)
      }
    }
  }

  private static func feedForward(
    _ c: ModelConfiguration, _ formats: WeightFormats, _ place: (kind: Kind, part: WeightFormats.Part),
    _ names: ParameterNames.FeedForward, _ width: Int, _ layer: Int, _ body: (HeldMatrix) -> Void
  ) {
    for name in [names.gate, names.up] {
      body(
        HeldMatrix(
          kind: place.kind, layer: layer, format: formats.format(place.part, name, columns: c.hidden), rows: width,
          columns: c.hidden, count: 1, isDivisible: place.kind == .dense, readersOfInput: 2))
    }
    body(
      HeldMatrix(
        kind: place.kind, layer: layer,
        format: formats.down(place.part, names.down, layer: layer, of: c.layers, columns: width), rows: c.hidden,
        columns: width, count: 1, isDivisible: place.kind == .dense))
  }

  private static func forEachOfAttention(
    _ c: ModelConfiguration, _ formats: WeightFormats, _ layer: Int, _ body: (HeldMatrix) -> Void
  ) {
    func put(_ name: String, _ rows: Int, _ columns: Int, isDivisible: Bool = false) {
      body(
        HeldMatrix(
          kind: .attention, layer: layer, format: formats.format(.attention, name, columns: columns), rows: rows,
          columns: columns, count: 1, isDivisible: isDivisible))
    }
    let queryRows = c.heads * c.headDimension
    if let rank = c.queryRank {
      put(ParameterNames.queryDown(layer), rank, c.hidden)
      put(ParameterNames.queryUp(layer), queryRows, rank, isDivisible: true)
    } else {
      put(ParameterNames.query(layer), queryRows, c.hidden, isDivisible: true)
    }
    put(ParameterNames.latentDown(layer), c.latentRank + c.ropeDimension, c.hidden)
    put(ParameterNames.attentionOutput(layer), c.hidden, c.heads * c.valueDimension, isDivisible: true)
    let up = formats.latentUp(ParameterNames.latentUp(layer), c)
    func putHeads(_ kind: Kind, _ format: WeightFormat, _ rows: Int, _ columns: Int) {
      body(HeldMatrix(kind: kind, layer: layer, format: format, rows: rows, columns: columns, count: c.heads))
    }
    putHeads(.keys, up.key, c.nopeDimension, c.latentRank)
    putHeads(.keysTransposed, up.keyTransposed, c.latentRank, c.nopeDimension)
    putHeads(.values, up.value, c.valueDimension, c.latentRank)
  }
}
