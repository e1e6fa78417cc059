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
    let head = formats.format(.head, columns: c.hidden)
    dense = (head == .fp8 ? .bf16 : head).bytes(rows: c.vocabularySize, columns: c.hidden)
    for layer in 0..<c.layers {
      dense += Self.attention(c, formats)
      guard c.isMoE(layer: layer) else {
        dense += Self.feedForward(c, formats, .dense, c.denseIntermediate, layer)
        continue
      }
      expert += Self.feedForward(c, formats, .experts, c.expertIntermediate, layer)
      gates += WeightFormat.f32.bytes(rows: c.routedExperts, columns: c.hidden)
      if c.sharedExperts > 0 {
        dense += Self.feedForward(c, formats, .shared, c.sharedExperts * c.expertIntermediate, layer)
      }
    }
    total = dense + gates + expert * c.routedExperts
  }

  private static func feedForward(
    _ c: ModelConfiguration, _ formats: WeightFormats, _ part: WeightFormats.Part, _ width: Int, _ layer: Int
  ) -> Int {
    2 * formats.format(part, columns: c.hidden).bytes(rows: width, columns: c.hidden)
      + formats.down(part, layer: layer, of: c.layers, columns: width).bytes(rows: c.hidden, columns: width)
  }

  private static func attention(_ c: ModelConfiguration, _ formats: WeightFormats) -> Int {
    func bytes(_ rows: Int, _ columns: Int, _ part: WeightFormats.Part = .attention) -> Int {
      formats.format(part, columns: columns).bytes(rows: rows, columns: columns)
    }
    let queryRows = c.heads * c.headDimension
    let query = c.queryRank.map { bytes($0, c.hidden) + bytes(queryRows, $0) } ?? bytes(queryRows, c.hidden)
    // Both attention forms: the key up-projection is there twice.
    let perHead =
      bytes(c.nopeDimension, c.latentRank, .latentUp)
      + formats.keysTransposed(c).bytes(rows: c.latentRank, columns: c.nopeDimension)
      + bytes(c.valueDimension, c.latentRank, .latentUp)
    return query + bytes(c.latentRank + c.ropeDimension, c.hidden) + c.heads * perHead
      + bytes(c.hidden, c.heads * c.valueDimension)
  }
}
