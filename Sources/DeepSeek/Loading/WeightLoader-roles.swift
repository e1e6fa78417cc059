import Checkpoint
import Kernels

extension WeightLoader {
  /// The gates of every layer, for the router. Their matrices stay f32 in every run format.
  public func gates() throws -> Gates {
    let gates = try (0..<configuration.layers).map { layer -> Gate? in
      guard configuration.isMoE(layer: layer) else { return nil }
      return Gate(
        matrix: try matrix(ParameterNames.gate(layer), isOwn: true) { _ in .f32 },
        bias: configuration.selection == .biasedGroups ? try vector(ParameterNames.gateBias(layer)) : nil)
    }
    return Gates(gates: gates, configuration: configuration, compute: compute)
  }

  /// The routed experts with the given ids, of every layer.
  ///
  /// - Parameter maxTokens: most tokens of a dispatch; more make buffers grow.
  public func experts(_ ids: some Sequence<Int>, maxTokens: Int) throws -> RoutedExperts {
    let ids = Array(ids)
    let experts = try (0..<configuration.layers).map { layer -> [FeedForward?] in
      guard configuration.isMoE(layer: layer) else { return [] }
      var held = [FeedForward?](repeating: nil, count: configuration.routedExperts)
      for id in ids { held[id] = try feedForward(ParameterNames.expert(layer, id), .experts, layer: layer) }
      return held
    }
    return RoutedExperts(
      experts: experts, hidden: configuration.hidden, intermediate: configuration.expertIntermediate,
      encoding: formats.dispatchEncoding(hidden: configuration.hidden),
      rows: maxTokens * min(ids.count, configuration.expertsPerToken), compute: compute)
  }

  /// The coordinator's part: embedding, attention, norms, dense layers, shared experts, head.
  ///
  /// - Parameters:
  ///   - positions: most tokens of a sequence.
  ///   - workspace: memory for the steps.
  public func model(positions: Int, workspace: Workspace) throws -> Model {
    let rotary = RotaryTable(
      frequencies: Rotary.frequencies(configuration), positions: positions,
      magnitude: Rotary.magnitude(configuration))
    let layers = try (0..<configuration.layers).map { try layer($0, rotary: rotary) }
    return Model(
      configuration: configuration, embedding: try checkpoint.matrix(ParameterNames.embedding), layers: layers,
      finalNorm: try vector(ParameterNames.finalNorm), head: try matrix(headName, .head), workspace: workspace,
      compute: compute)
  }

  /// Where they are tied, a stored head is not used, as in transformers.
  var headName: String {
    configuration.tiesEmbeddings && checkpoint.prepared == nil ? ParameterNames.embedding : ParameterNames.head
  }

  private func layer(_ index: Int, rotary: RotaryTable) throws -> Layer {
    Layer(
      index: index, attentionNorm: try vector(ParameterNames.inputNorm(index)),
      attention: Attention(weights: try attention(index), configuration: configuration, rotary: rotary),
      feedForwardNorm: try vector(ParameterNames.postAttentionNorm(index)),
      feedForward: try layerFeedForward(index), epsilon: Float(configuration.normEpsilon))
  }

  private func layerFeedForward(_ layer: Int) throws -> LayerFeedForward {
    guard configuration.isMoE(layer: layer) else {
      return .dense(try feedForward(ParameterNames.dense(layer), .dense, layer: layer))
    }
    guard configuration.sharedExperts > 0 else { return .mixture(shared: nil) }
    return .mixture(shared: try feedForward(ParameterNames.shared(layer), .shared, layer: layer))
  }

  private func attention(_ layer: Int) throws -> AttentionWeights {
    let query: QueryProjection =
      configuration.queryRank == nil
      ? .direct(try matrix(ParameterNames.query(layer), .attention))
      : .lowRank(
        down: try matrix(ParameterNames.queryDown(layer), .attention),
        norm: try vector(ParameterNames.queryNorm(layer)),
        up: try matrix(ParameterNames.queryUp(layer), .attention))
    return AttentionWeights(
      query: query, keyValueDown: try matrix(ParameterNames.latentDown(layer), .attention),
      latentNorm: try vector(ParameterNames.latentNorm(layer)),
      up: try upProjections(ParameterNames.latentUp(layer)),
      output: try matrix(ParameterNames.attentionOutput(layer), .attention))
  }

  /// Rows of `kv_b_proj` per head: first the key's content part, then the value.
  func upProjections(_ name: String) throws -> UpProjections {
    if let prepared = checkpoint.prepared { return try mappedUpProjections(name, prepared) }
    let source = try checkpoint.phantomMatrix(name, slots: 1)?.source ?? checkpoint.matrix(name)
    let formats = formats.latentUp(name, configuration)
    let projections = try shared?.latentUp ?? upProjections(source, formats)
    shared?.latentUp = projections
    source.release()
    try done(source.rows * source.columns)
    return projections
  }

  private func upProjections(_ source: TensorSource, _ formats: WeightFormats.LatentUp) throws -> UpProjections {
    let (nope, value) = (configuration.nopeDimension, configuration.valueDimension)
    let starts = (0..<configuration.heads).map { $0 * (nope + value) }
    let keys = starts.map { pack(source, rows: $0..<$0 + nope, as: source.runFormat(formats.key)) }
    let projections: UpProjections
    if let (storedKeys, storedValues) = source.headParts {
      // GGUF: keys lie transposed, head by head, and values too.
      let latent = configuration.latentRank
      projections = UpProjections(
        key: keys,
        keyTransposed: starts.indices.map {
          pack(storedKeys, rows: $0 * latent..<($0 + 1) * latent, as: formats.keyTransposed)
        },
        value: starts.indices.map { pack(storedValues, rows: $0 * value..<($0 + 1) * value, as: formats.value) })
    } else {
      projections = UpProjections(
        key: keys,
        keyTransposed: starts.map {
          transposed(source, rows: $0..<$0 + nope, as: source.runFormat(formats.keyTransposed))
        },
        value: starts.map { pack(source, rows: $0 + nope..<$0 + nope + value, as: source.runFormat(formats.value)) })
    }
    return projections
  }
}

extension WeightLoader {
  private func mappedUpProjections(_ name: String, _ prepared: PreparedStore) throws -> UpProjections {
    let (names, formats) = (LatentUpNames(name), formats.latentUp(name, configuration))
    return UpProjections(
      key: try mapped(names.keys, prepared) { _ in formats.key },
      keyTransposed: try mapped(names.keysTransposed, prepared) { _ in formats.keyTransposed },
      value: try mapped(names.values, prepared) { _ in formats.value })
  }
}

/// The matrices of one attention.
struct AttentionWeights {
  let query: QueryProjection
  let keyValueDown: PackedMatrix
  let latentNorm: [Float]
  let up: UpProjections
  let output: PackedMatrix
}
