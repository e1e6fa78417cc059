import Checkpoint
import Kernels

/// How each matrix of a GGUF file runs where `--quant` says nothing: as it is stored, or, where no kernel has the same
/// numbers, in the nearest format.
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
  /// Types that no run format holds, and what they run in.
  private(set) var inexact: [WeightFormats.Part: [ElementType: WeightFormat]] = [:]
  private let types: StoredTypes

  /// Nil where there are no blocks: one format serves all then.
  init?(_ types: StoredTypes, _ model: ModelConfiguration) {
    self.types = types
    var experts: [ParameterNames.FeedForward] = []
    for layer in 0..<model.layers {
      addAttention(layer)
      addLatentUp(layer)
      guard model.isMoE(layer: layer) else {
        addFeedForwards([ParameterNames.dense(layer)], .dense)
        continue
      }
      if model.sharedExperts > 0 { addFeedForwards([ParameterNames.shared(layer)], .shared) }
      experts += (0..<model.routedExperts).map { ParameterNames.expert(layer, $0) }
    }
    addFeedForwards(experts, .experts)
    expertEncoding = experts.first.flatMap { matrices[$0.gate]?.encoding } ?? .f32
    add([model.tiesEmbeddings ? ParameterNames.embedding : ParameterNames.head], .head)
    // A prepared model has a head of its own in every case.
    if model.tiesEmbeddings { matrices[ParameterNames.head] = matrices[ParameterNames.embedding] }
    let all = matrices.values + latentUp.values.flatMap { [$0.key, $0.keyTransposed, $0.value] }
    guard all.contains(where: { $0.block != nil }) else { return nil }
  }

  /// The formats there are, most matrices first.
  var names: String {
    var counts: [WeightFormat: Int] = [:]
    for format in matrices.values { counts[format, default: 0] += 1 }
    return WeightFormat.names(counts)
  }

  /// The format of rows of a part.
  private mutating func format(_ rows: StoredTypes.Rows, _ part: WeightFormats.Part) -> WeightFormat {
    let format = WeightFormat(storing: rows)
    if !format.holds(rows.type) { inexact[part, default: [:]][rows.type] = format }
    return format
  }

  private mutating func add(_ names: [String], _ part: WeightFormats.Part) {
    for name in names { if let rows = types.matrices[name] { matrices[name] = format(rows, part) } }
  }

  /// Matrices of one input: where one of them takes it encoded all do, and floating-point ones become q8_0.
  private mutating func addJoined(_ names: [String], _ part: WeightFormats.Part) {
    add(names, part)
    guard names.contains(where: { matrices[$0]?.encoding == .q8 }) else { return }
    for name in names where matrices[name]?.encoding == .f32 { matrices[name] = .q8_0 }
  }

  private mutating func addAttention(_ layer: Int) {
    addJoined(
      [ParameterNames.query(layer), ParameterNames.queryDown(layer), ParameterNames.latentDown(layer)], .attention)
    add([ParameterNames.queryUp(layer), ParameterNames.attentionOutput(layer)], .attention)
  }

  private mutating func addFeedForwards(_ networks: [ParameterNames.FeedForward], _ part: WeightFormats.Part) {
    addJoined(networks.flatMap { [$0.gate, $0.up] }, part)
    add(networks.map(\.down), part)
  }

  private mutating func addLatentUp(_ layer: Int) {
    let name = ParameterNames.latentUp(layer)
    if let stored = types.latentUp[name] {
      let (keys, values) = (format(stored.keys, .latentUp), format(stored.values, .latentUp))
      // Keys and values take the same latents.
      let isEncoded = keys.encoding == .q8 || values.encoding == .q8
      latentUp[name] = LatentUp(
        key: isEncoded ? .q8_0 : keys, keyTransposed: keys,
        value: isEncoded && values.encoding == .f32 ? .q8_0 : values)
    } else if let rows = types.matrices[name] {
      let whole = format(rows, .latentUp)
      latentUp[name] = LatentUp(key: whole, keyTransposed: whole.block == nil ? whole : .q8_0, value: whole)
    }
  }
}

extension WeightFormat {
  /// The run format of the same numbers; where there is none of about the same size, the nearest one that has as many
  /// bits and adds little to the error that is there already.
  init(storing rows: StoredTypes.Rows) {
    switch rows.type {
    case .bf16: self = .bf16
    case .q4_0, .q4_1: self = .q4_1
    case .q5_0, .q8_0: self = .q8_0
    case .q4_K: self = .q4_K
    case .q6_K: self = .q6_K
    case .q2_K, .q3_K: self = .q4_K
    case .q5_1, .q5_K, .iq4_NL, .iq4_XS: self = WeightFormat.q6_K.fitting(columns: rows.columns)
    default: self = .f32
    }
  }

  /// Whether this format has room for every number of a stored type.
  func holds(_ type: ElementType) -> Bool {
    guard let block else { return self == .f32 || type == .bf16 }
    return type.isHeld(by: block)
  }
}
