import Checkpoint
import DeepSeek
import Kernels

/// Bytes of what ranks hold of a model, in the format that each matrix really runs in.
struct WeightSizes {
  /// Routed experts by id, all layers. `[experts]`
  private(set) var experts: [Int]
  /// All gates, for the router.
  private(set) var gates = 0
  /// What the coordinator holds: attention, norms, dense layers, shared experts, head. Without the embedding, which
  /// stays in its file.
  private(set) var dense = 0
  /// Of the dense part, what is there a second time: attention has the keys of `kv_b_proj` both ways.
  private var repeated = 0

  /// Every weight once, without the embedding.
  var eachOnce: Int { experts.reduce(dense + gates - repeated, +) }

  init(_ configuration: ModelConfiguration, _ formats: WeightFormats) {
    let c = configuration
    experts = [Int](repeating: 0, count: c.routedExperts)
    let head = formats.format(
      .head, c.tiesEmbeddings ? ParameterNames.embedding : ParameterNames.head, columns: c.hidden)
    let norms = ParameterInventory(c).countByPart[.norms, default: 0]
    dense = head.bytes(rows: c.vocabularySize, columns: c.hidden) + norms * Self.floatBytes
    for layer in 0..<c.layers {
      addAttention(c, formats, layer)
      guard c.isMoE(layer: layer) else {
        dense += Self.feedForward(c, formats, .dense, ParameterNames.dense(layer), c.denseIntermediate, layer)
        continue
      }
      for id in experts.indices {
        experts[id] += Self.feedForward(
          c, formats, .experts, ParameterNames.expert(layer, id), c.expertIntermediate, layer)
      }
      gates += WeightFormat.f32.bytes(rows: c.routedExperts, columns: c.hidden)
      if c.selection == .biasedGroups { gates += c.routedExperts * Self.floatBytes }
      if c.sharedExperts > 0 {
        dense += Self.feedForward(
          c, formats, .shared, ParameterNames.shared(layer), c.sharedExperts * c.expertIntermediate, layer)
      }
    }
  }

  private static let floatBytes = MemoryLayout<Float>.stride

  private static func feedForward(
    _ c: ModelConfiguration, _ formats: WeightFormats, _ part: WeightFormats.Part, _ names: ParameterNames.FeedForward,
    _ width: Int, _ layer: Int
  ) -> Int {
    [names.gate, names.up].reduce(0) {
      $0 + formats.format(part, $1, columns: c.hidden).bytes(rows: width, columns: c.hidden)
    } + formats.down(part, names.down, layer: layer, of: c.layers, columns: width).bytes(rows: c.hidden, columns: width)
  }

  private mutating func addAttention(_ c: ModelConfiguration, _ formats: WeightFormats, _ layer: Int) {
    func bytes(_ name: String, _ rows: Int, _ columns: Int) -> Int {
      formats.format(.attention, name, columns: columns).bytes(rows: rows, columns: columns)
    }
    let queryRows = c.heads * c.headDimension
    let query =
      c.queryRank.map {
        bytes(ParameterNames.queryDown(layer), $0, c.hidden) + bytes(ParameterNames.queryUp(layer), queryRows, $0)
      } ?? bytes(ParameterNames.query(layer), queryRows, c.hidden)
    let up = formats.latentUp(ParameterNames.latentUp(layer), c)
    let transposed = up.keyTransposed.bytes(rows: c.latentRank, columns: c.nopeDimension)
    let perHead =
      up.key.bytes(rows: c.nopeDimension, columns: c.latentRank)
      + up.value.bytes(rows: c.valueDimension, columns: c.latentRank)
    repeated += c.heads * transposed
    dense +=
      query + bytes(ParameterNames.latentDown(layer), c.latentRank + c.ropeDimension, c.hidden)
      + c.heads * (perHead + transposed)
      + bytes(ParameterNames.attentionOutput(layer), c.hidden, c.heads * c.valueDimension)
  }
}
