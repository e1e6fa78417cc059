import Checkpoint
import Kernels

extension WeightLoader {
  /// A rank's rows of the dense part's products, for the coordinator.
  public func slices(_ share: SliceShare) throws -> DenseSlices {
    let isEmbedding = configuration.tiesEmbeddings && checkpoint.prepared == nil
    let head = isEmbedding ? ParameterNames.embedding : ParameterNames.head
    let layers = try (0..<configuration.layers).map { try slices(share, layer: $0) }
    return DenseSlices(layers: layers, head: try slice(share, head, .head), compute: compute)
  }

  private func slices(_ share: SliceShare, layer: Int) throws -> DenseSlices.Layer {
    let query = configuration.queryRank == nil ? ParameterNames.query(layer) : ParameterNames.queryUp(layer)
    var slices = DenseSlices.Layer()
    slices.queries = try slice(share, query, .attention)
    slices.attentionOutput = try slice(share, ParameterNames.attentionOutput(layer), .attention)
    guard !configuration.isMoE(layer: layer) else { return slices }
    let names = ParameterNames.dense(layer)
    slices.gate = try slice(share, names.gate, .dense)
    slices.up = try slice(share, names.up, .dense)
    slices.down = try slice(share, names.down) {
      formats.down(.dense, names.down, layer: layer, of: configuration.layers, columns: $0)
    }
    return slices
  }

  private func slice(_ share: SliceShare, _ name: String, _ part: WeightFormats.Part) throws -> PackedMatrix? {
    try slice(share, name) { formats.format(part, name, columns: $0) }
  }

  /// Some rows of a matrix; nil where the share has none of it.
  private func slice(
    _ share: SliceShare, _ name: String, format: (_ columns: Int) -> WeightFormat
  ) throws -> PackedMatrix? {
    if let prepared = checkpoint.prepared {
      let whole = try checked(prepared.matrices(name)[0], name, format)
      let rows = share.rows(of: whole.rows)
      guard !rows.isEmpty else { return nil }
      try done(rows.count * whole.columns)
      return copiesPrepared ? whole.slice(rows).copied(compute) : whole.slice(rows)
    }
    let source = try checkpoint.matrix(name)
    let rows = share.rows(of: source.rows)
    guard !rows.isEmpty else { return nil }
    if let shared { return try phantom(name, rows: rows, shared, format) }
    let packed = pack(source, rows: rows, as: source.runFormat(format(source.columns)))
    source.release()
    try done(rows.count * source.columns)
    return packed
  }
}
