import Crypto

/// The tensors of a `deepseek2` GGUF file under their official names: merged experts one by one, `kv_b_proj` whole.
struct GGUFStore: TensorStore {
  private(set) var tensors: [String: TensorInfo] = [:]
  /// Tensors that nothing asks for, and those of layers behind the model's; both sorted.
  private(set) var surplus: [String] = []
  private(set) var skipped: [String] = []
  private var headRows: [String: HeadRows] = [:]
  private let file: GGUFFile

  let fileCount = 1
  var mappedFiles: [MappedFile] { [file.map] }
  var tensorBytes: Int { file.header.tensors.reduce(0) { $0 + $1.byteRange.count } }
  var headerHashes: [[UInt8]] {
    var hash = SHA256()
    hash.update(bufferPointer: file.headerBytes)
    return [Array(hash.finalize())]
  }

  /// Compares the file with what its configuration calls for.
  ///
  /// - Throws: ``CheckpointError`` for the first required tensor that is absent or wrong.
  init(_ file: GGUFFile, _ configuration: ModelConfiguration) throws {
    self.file = file
    let found = Dictionary(uniqueKeysWithValues: file.header.tensors.map { ($0.name, $0) })
    var layout = GGUFLayout(configuration: configuration)
    layout.splitsLatentUp = found["blk.0.attn_kv_b.weight"] == nil || found["blk.0.attn_k_b.weight"] != nil
    var required: Set<String> = []
    var keys: [String: TensorSource] = [:]
    for wanted in layout.tensors() {
      guard let tensor = found[wanted.name] else { throw GGUFStore.absent(wanted, layout, found, file.name) }
      let type = try GGUFStore.check(tensor, wanted, file.name)
      required.insert(tensor.name)
      switch wanted.content {
      case .plain(let name): add(name, tensor, type, part: 0, of: 1, isVector: wanted.dimensions.count == 1)
      case .experts(let layer, let projection):
        let names = layout.expertNames(layer, projection)
        for (index, name) in names.enumerated() { add(name, tensor, type, part: index, of: names.count) }
      case .keys(let name): keys[name] = source(tensor, type)
      case .values(let name):
        guard let keys = keys.removeValue(forKey: name) else { preconditionFailure("keys come before values") }
        add(name, HeadRows(keys: keys, values: source(tensor, type), heads: configuration.heads), tensor, type)
      }
    }
    for tensor in file.header.tensors where !required.contains(tensor.name) {
      let layer = tensor.name.hasPrefix("blk.") ? Int(tensor.name.dropFirst(4).prefix { $0 != "." }) : nil
      let isBehind = layer.map { $0 >= configuration.layers } ?? false
      if isBehind { skipped.append(tensor.name) } else { surplus.append(tensor.name) }
    }
    skipped.sort()
    surplus.sort()
  }

  /// A tensor of the file, or one of `count` equal parts of it along the last dimension.
  private mutating func add(
    _ name: String, _ tensor: GGUFTensor, _ type: ElementType, part: Int, of count: Int, isVector: Bool = false
  ) {
    let size = tensor.byteRange.count / count
    let start = tensor.byteRange.lowerBound + part * size
    let shape = isVector ? [tensor.columns] : [tensor.rows / count, tensor.columns]
    tensors[name] = TensorInfo(
      name: name, type: type, shape: shape, file: file.name, byteRange: start..<start + size)
  }

  private mutating func add(_ name: String, _ rows: HeadRows, _ values: GGUFTensor, _ type: ElementType) {
    headRows[name] = rows
    tensors[name] = TensorInfo(
      name: name, type: type, shape: [rows.heads * rows.keys.columns + rows.values.rows, rows.values.columns],
      file: file.name, byteRange: values.byteRange)
  }

  private func source(_ tensor: GGUFTensor, _ type: ElementType) -> TensorSource {
    TensorSource(
      name: tensor.name, rows: tensor.rows, columns: tensor.columns, type: type,
      layout: .rows(.init(map: file.map, range: tensor.byteRange)))
  }

  func storedBytes(_ tensor: TensorInfo) -> Int {
    guard let keys = headRows[tensor.name]?.keys else { return tensor.byteRange.count }
    return tensor.byteRange.count + keys.rows * keys.rowBytes
  }

  func matrix(_ tensor: TensorInfo) throws -> TensorSource {
    let layout: TensorSource.Layout =
      headRows[tensor.name].map { .heads($0) } ?? .rows(.init(map: file.map, range: tensor.byteRange))
    return TensorSource(
      name: tensor.name, rows: tensor.shape[0], columns: tensor.shape[1], type: tensor.type, layout: layout)
  }

  func vector(_ tensor: TensorInfo) -> TensorSource.MappedRange {
    TensorSource.MappedRange(map: file.map, range: tensor.byteRange)
  }

  /// The two parts of a split `kv_b_proj`.
  func headRows(_ name: String) -> HeadRows? { headRows[name] }
}

// MARK: - Checks

extension GGUFStore {
  private static let plainTypes: Set<GGMLType> = [.f32, .f16, .bf16]

  private static func check(
    _ tensor: GGUFTensor, _ wanted: GGUFLayout.Tensor, _ file: String
  ) throws -> ElementType {
    // A last dimension of 1 may be left out.
    func trimmed(_ dimensions: [Int]) -> [Int] {
      var dimensions = dimensions
      while dimensions.count > 1, dimensions.last == 1 { dimensions.removeLast() }
      return dimensions
    }
    guard trimmed(tensor.dimensions) == trimmed(wanted.dimensions) else {
      throw CheckpointError.tensor(
        tensor.name, file: file, expected: "dimensions \(wanted.dimensions)", found: "\(tensor.dimensions)",
        hint: "Metadata and tensors do not belong together: convert the checkpoint again.")
    }
    let isReadable = wanted.isPrecise ? plainTypes.contains(tensor.type) : ElementType(tensor.type) != nil
    guard isReadable, let type = ElementType(tensor.type) else {
      let readable = GGMLType.allCases.filter { wanted.isPrecise ? plainTypes.contains($0) : ElementType($0) != nil }
      throw CheckpointError.tensor(
        tensor.name, file: file, expected: readable.map(\.name).joined(separator: ", "), found: tensor.type.name,
        hint: "This type does not run: quantise the model to another, such as Q4_K, Q6_K or Q8_0.")
    }
    return type
  }

  private static func absent(
    _ wanted: GGUFLayout.Tensor, _ layout: GGUFLayout, _ found: [String: GGUFTensor], _ file: String
  ) -> CheckpointError {
    let missing = layout.tensors().count { found[$0.name] == nil }
    return .tensor(
      wanted.name, file: file, expected: "dimensions \(wanted.dimensions)",
      found: missing > 1 ? "nothing; \(missing) required tensors are absent" : "nothing",
      hint: "Metadata and tensors do not belong together: convert the checkpoint again.")
  }
}
