import Checkpoint
import Kernels

extension WeightLoader {
  /// A rank's rows of the dense part's products, for the coordinator.
  public func slices(_ share: SliceShare) throws -> DenseSlices {
    let layers = try (0..<configuration.layers).map { try slices(share, layer: $0) }
    return DenseSlices(layers: layers, head: try slice(share, headName, .head), compute: compute)
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
    slices.down = try matrix(names.down, rows: share.rows) {
      formats.down(.dense, names.down, layer: layer, of: configuration.layers, columns: $0)
    }
    return slices
  }

  private func slice(_ share: SliceShare, _ name: String, _ part: WeightFormats.Part) throws -> PackedMatrix? {
    try matrix(name, rows: share.rows) { formats.format(part, name, columns: $0) }
  }
}
