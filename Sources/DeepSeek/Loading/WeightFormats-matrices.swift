import Checkpoint
import Kernels

// The formats of single matrices, by official name.
extension WeightFormats {
  /// The format of the matrix `name`, whose rows have `columns` weights.
  public func format(_ part: Part, _ name: String, columns: Int) -> WeightFormat {
    stored(part)?.matrices[name] ?? kept(format(part, columns: columns), name)
  }

  /// The format of a feed-forward's down projection `name` in layer `layer` of `layers`.
  public func down(_ part: Part, _ name: String, layer: Int, of layers: Int, columns: Int) -> WeightFormat {
    stored(part)?.matrices[name] ?? kept(down(part, layer: layer, of: layers, columns: columns), name)
  }

  /// The format of a matrix that is packed whole; nil for embedding, gates and norms.
  func format(_ parameter: Parameter, of model: ModelConfiguration) -> WeightFormat? {
    let part: Part
    switch parameter.part {
    case .attention: part = .attention
    case .denseFeedForward: part = .dense
    case .sharedExperts: part = .shared
    case .routedExperts: part = .experts
    case .head: part = .head
    case .embedding, .gates, .norms, .mtp: return nil
    }
    guard let layer = parameter.layer, parameter.name.hasSuffix(".down_proj.weight") else {
      return format(part, parameter.name, columns: parameter.shape[1])
    }
    return down(part, parameter.name, layer: layer, of: model.layers, columns: parameter.shape[1])
  }

  /// The formats of a head's parts of a layer's `kv_b_proj`: keys `[nopeDimension, latentRank]`, the same transposed,
  /// values `[valueDimension, latentRank]`.
  public func latentUp(
    _ name: String, _ model: ModelConfiguration
  ) -> (key: WeightFormat, keyTransposed: WeightFormat, value: WeightFormat) {
    if let stored = stored(.latentUp)?.latentUp[name] { return (stored.key, stored.keyTransposed, stored.value) }
    let format = kept(format(.latentUp, columns: model.latentRank), name)
    return (format, kept(keysTransposed(model), name), format)
  }

  /// How rows travel to the expert hosts.
  public func dispatchEncoding(hidden: Int) -> ActivationEncoding {
    stored(.experts)?.expertEncoding ?? format(.experts, columns: hidden).encoding
  }

  /// Whether attention's weights are blocks, all or some.
  public var hasBlocksInAttention: Bool {
    if let stored = stored(.attention) {
      return stored.matrices.contains { $0.key.contains(".self_attn.") && $0.value.block != nil }
    }
    return format(.attention, columns: 256).block != nil
  }
}
