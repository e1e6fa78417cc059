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

  /// The format of a matrix that is packed whole; nil for gates, norms, and an embedding that is no head.
  func format(_ parameter: Parameter, of model: ModelConfiguration) -> WeightFormat? {
    guard let part = Part(parameter, of: model) else { return nil }
    guard let layer = parameter.layer, parameter.name.hasSuffix(".down_proj.weight") else {
      return format(part, parameter.name, columns: parameter.shape[1])
    }
    return down(part, parameter.name, layer: layer, of: model.layers, columns: parameter.shape[1])
  }

  /// The format in which the loader asks for a matrix of a prepared model.
  func format(_ item: PreparedInventory.Item, of model: ModelConfiguration) -> WeightFormat {
    switch item.content {
    case .keys: return latentUp(item.source.name, model).key
    case .keysTransposed: return latentUp(item.source.name, model).keyTransposed
    case .values: return latentUp(item.source.name, model).value
    case .matrix where item.source.part == .gates: return .f32
    case .matrix, .vector, .stored: break
    }
    guard let format = format(item.source, of: model) else {
      preconditionFailure("\(item.name) is no matrix in panels")
    }
    return format
  }

  public typealias LatentUp = (key: WeightFormat, keyTransposed: WeightFormat, value: WeightFormat)

  /// The formats of a head's parts of a layer's `kv_b_proj`: keys `[nopeDimension, latentRank]`, the same transposed,
  /// values `[valueDimension, latentRank]`.
  public func latentUp(_ name: String, _ model: ModelConfiguration) -> LatentUp {
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

extension WeightFormats.Part {
  /// The part whose format a matrix takes; nil for what is no matrix or has the same format in every run.
  init?(_ parameter: Parameter, of model: ModelConfiguration) {
    guard parameter.shape.count == 2 else { return nil }
    switch parameter.part {
    case .attention:
      self = parameter.layer.map(ParameterNames.latentUp) == parameter.name ? .latentUp : .attention
    case .denseFeedForward: self = .dense
    case .sharedExperts: self = .shared
    case .routedExperts: self = .experts
    case .head: self = .head
    case .embedding where model.tiesEmbeddings: self = .head
    case .embedding, .gates, .norms, .mtp: return nil
    }
  }
}
