import Checkpoint
import DeepSeek
import Kernels

/// Bytes of packed weights by who holds them.
struct WeightSizes {
  /// One routed expert id, all layers.
  private(set) var expert = 0
  /// All gates, for the router.
  private(set) var gates = 0
  /// What the coordinator holds: attention, dense layers, shared experts, head.
  private(set) var dense = 0
  /// The whole model, without the embedding, which stays in its file.
  private(set) var total = 0

  init(_ configuration: ModelConfiguration, _ formats: WeightFormats) {
    let c = configuration
    // Official checkpoints keep the head in BF16.
    let head = formats.format(
      .head, c.tiesEmbeddings ? ParameterNames.embedding : ParameterNames.head, columns: c.hidden)
    dense = (head == .fp8 ? .bf16 : head).bytes(rows: c.vocabularySize, columns: c.hidden)
    for layer in 0..<c.layers {
      dense += Self.attention(c, formats, layer)
      guard c.isMoE(layer: layer) else {
        dense += Self.feedForward(c, formats, .dense, ParameterNames.dense(layer), c.denseIntermediate, layer)
        continue
      }
      expert += Self.feedForward(
        c, formats, .experts, ParameterNames.expert(layer, 0), c.expertIntermediate, layer)
      gates += WeightFormat.f32.bytes(rows: c.routedExperts, columns: c.hidden)
      if c.sharedExperts > 0 {
        dense += Self.feedForward(
          c, formats, .shared, ParameterNames.shared(layer), c.sharedExperts * c.expertIntermediate, layer)
      }
    }
    total = dense + gates + expert * c.routedExperts
  }

  private static func feedForward(
    _ c: ModelConfiguration, _ formats: WeightFormats, _ part: WeightFormats.Part, _ names: ParameterNames.FeedForward,
    _ width: Int, _ layer: Int
  ) -> Int {
    [names.gate, names.up].reduce(0) {
      $0 + formats.format(part, $1, columns: c.hidden).bytes(rows: width, columns: c.hidden)
    } + formats.down(part, names.down, layer: layer, of: c.layers, columns: width).bytes(rows: c.hidden, columns: width)
  }

  private static func attention(_ c: ModelConfiguration, _ formats: WeightFormats, _ layer: Int) -> Int {
    func bytes(_ name: String, _ rows: Int, _ columns: Int) -> Int {
      formats.format(.attention, name, columns: columns).bytes(rows: rows, columns: columns)
    }
    let queryRows = c.heads * c.headDimension
    let query =
      c.queryRank.map {
        bytes(ParameterNames.queryDown(layer), $0, c.hidden) + bytes(ParameterNames.queryUp(layer), queryRows, $0)
      } ?? bytes(ParameterNames.query(layer), queryRows, c.hidden)
    // Both attention forms: the key up-projection is there twice.
    let up = formats.latentUp(ParameterNames.latentUp(layer), c)
    let perHead =
      up.key.bytes(rows: c.nopeDimension, columns: c.latentRank)
      + up.keyTransposed.bytes(rows: c.latentRank, columns: c.nopeDimension)
      + up.value.bytes(rows: c.valueDimension, columns: c.latentRank)
    return query + bytes(ParameterNames.latentDown(layer), c.latentRank + c.ropeDimension, c.hidden) + c.heads * perHead
      + bytes(ParameterNames.attentionOutput(layer), c.hidden, c.heads * c.valueDimension)
  }
}
