/// The tensors of a Hugging Face folder.
struct SafetensorsStore: TensorStore {
  let configuration: ModelConfiguration
  let shards: ShardSet

  var tensors: [String: TensorInfo] { shards.tensors }
  var fileCount: Int { shards.files.count }
  var mappedFiles: [MappedFile] { shards.files.map(\.map) }

  var tensorBytes: Int { shards.tensors.values.reduce(0) { $0 + $1.byteRange.count } }

  var headerHashes: [[UInt8]] { shards.files.map { Digest(of: $0.headerBytes).bytes } }

  func storedBytes(_ tensor: TensorInfo) -> Int {
    tensor.byteRange.count + (shards.tensors[ParameterNames.scale(of: tensor.name)]?.byteRange.count ?? 0)
  }

  func matrix(_ tensor: TensorInfo) throws -> TensorSource {
    var layout = TensorSource.Layout.rows(place(of: tensor))
    if tensor.type == .f8e4m3 {
      try TensorCheck(configuration, shards).checkScale(of: tensor)
      guard let grid = shards.tensors[ParameterNames.scale(of: tensor.name)],
        let block = configuration.quantizationBlock
      else { preconditionFailure("checked above") }
      layout = .scaled(place(of: tensor), .init(data: place(of: grid), columns: grid.shape[1], block: block))
    }
    return TensorSource(
      name: tensor.name, rows: tensor.shape[0], columns: tensor.shape[1], type: tensor.type, layout: layout)
  }

  func vector(_ tensor: TensorInfo) -> TensorSource.MappedRange { place(of: tensor) }

  private func place(of tensor: TensorInfo) -> TensorSource.MappedRange {
    TensorSource.MappedRange(map: shards.file(of: tensor).map, range: tensor.byteRange)
  }
}
