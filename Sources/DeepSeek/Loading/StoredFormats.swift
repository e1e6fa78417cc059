import Checkpoint
import Kernels

/// How each matrix of a GGUF file runs where `--quant` says nothing: as it is stored.
struct StoredFormats: Sendable, Equatable {
  /// A head's parts of `kv_b_proj`. Blocks do not survive a transposition: that part is quantised anew, to q8_0.
  struct LatentUp: Sendable, Equatable {
    let key: WeightFormat
    let keyTransposed: WeightFormat
    let value: WeightFormat
  }

  /// By official name.
  private(set) var matrices: [String: WeightFormat] = [:]
  private(set) var latentUp: [String: LatentUp] = [:]
  /// What routed experts take.
  private(set) var expertEncoding = ActivationEncoding.f32
  private let natural: [String: WeightFormat]

  /// Looks at the types of all matrices. Nil where the checkpoint is no GGUF file or has no blocks: one format serves
  /// all then.
  init?(_ checkpoint: Checkpoint) {
    guard checkpoint.metadata != nil, checkpoint.prepared == nil else { return nil }
    natural = checkpoint.tensors.mapValues { WeightFormat(storing: $0.type) }
    let model = checkpoint.configuration
    var experts: [ParameterNames.FeedForward] = []
    for layer in 0..<model.layers {
      addAttention(layer)
      addLatentUp(layer, checkpoint)
      guard model.isMoE(layer: layer) else {
        addFeedForwards([ParameterNames.dense(layer)])
        continue
      }
      if model.sharedExperts > 0 { addFeedForwards([ParameterNames.shared(layer)]) }
      experts += (0..<model.routedExperts).map { ParameterNames.expert(layer, $0) }
    }
    addFeedForwards(experts)
    expertEncoding = experts.first.flatMap { matrices[$0.gate]?.encoding } ?? .f32
    add([model.tiesEmbeddings ? ParameterNames.embedding : ParameterNames.head])
    let all = matrices.values + latentUp.values.flatMap { [$0.key, $0.keyTransposed, $0.value] }
    guard all.contains(where: { $0.block != nil }) else { return nil }
  }

  /// The formats there are, most matrices first.
  var names: String {
    var counts: [WeightFormat: Int] = [:]
    for format in matrices.values { counts[format, default: 0] += 1 }
    return WeightFormat.names(counts)
  }

  private mutating func add(_ names: [String]) {
    for name in names { matrices[name] = natural[name] }
  }

  /// Matrices of one input: where one of them takes it encoded all do, and floating-point ones become q8_0.
  private mutating func addJoined(_ names: [String]) {
    add(names)
    guard names.contains(where: { matrices[$0]?.encoding == .q8 }) else { return }
    for name in names where matrices[name]?.encoding == .f32 { matrices[name] = .q8_0 }
  }

  private mutating func addAttention(_ layer: Int) {
    addJoined([
      ParameterNames.query(layer), ParameterNames.queryDown(layer), ParameterNames.latentDown(layer),
    ])
    add([ParameterNames.queryUp(layer), ParameterNames.attentionOutput(layer)])
  }

  private mutating func addFeedForwards(_ networks: [ParameterNames.FeedForward]) {
    addJoined(networks.flatMap { [$0.gate, $0.up] })
    add(networks.map(\.down))
  }

  private mutating func addLatentUp(_ layer: Int, _ checkpoint: Checkpoint) {
    let name = ParameterNames.latentUp(layer)
    if let (keys, values) = checkpoint.splitLatentUp(layer) {
      let (keys, values) = (WeightFormat(storing: keys.type), WeightFormat(storing: values.type))
      // Keys and values take the same latents.
      let isEncoded = keys.encoding == .q8 || values.encoding == .q8
      latentUp[name] = LatentUp(
        key: isEncoded ? .q8_0 : keys, keyTransposed: keys,
        value: isEncoded && values.encoding == .f32 ? .q8_0 : values)
    } else if let whole = natural[name] {
      latentUp[name] = LatentUp(key: whole, keyTransposed: whole.block == nil ? whole : .q8_0, value: whole)
    }
  }
}

extension WeightFormat {
  /// The run format of the same numbers.
  fileprivate init(storing type: ElementType) {
    switch type {
    case .bf16: self = .bf16
    case .q4_0, .q4_1: self = .q4_1
    case .q5_0, .q8_0: self = .q8_0
    case .q4_K: self = .q4_K
    case .q6_K: self = .q6_K
    default: self = .f32
    }
  }
}
