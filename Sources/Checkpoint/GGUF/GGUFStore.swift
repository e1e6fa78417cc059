/// The tensors of a `deepseek2` GGUF model under their official names: merged experts one by one, `kv_b_proj` whole.
struct GGUFStore: TensorStore {
  private(set) var tensors: [String: TensorInfo] = [:]
  /// Tensors that nothing asks for, and those of layers behind the model's; both sorted.
  private(set) var surplus: [String] = []
  private(set) var skipped: [String] = []
  private var headRows: [String: HeadRows] = [:]
  private let files: [String: GGUFFile]
  /// By the names in the files, of what the model needs.
  private(set) var types: [String: ElementType] = [:]
  /// Tensors that the model needs and that lie in parts which are not here.
  private(set) var absentCount = 0

  var fileCount: Int { files.count }
  var mappedFiles: [MappedFile] { files.values.map(\.map) }
  var tensorBytes: Int { files.values.reduce(0) { $0 + $1.header.tensors.reduce(0) { $0 + $1.byteRange.count } } }
  var headerHashes: [[UInt8]] { files.values.map { Digest(of: $0.headerBytes).bytes } }

  /// A tensor and the file that it lies in.
  private struct Place {
    let file: GGUFFile
    let tensor: GGUFTensor
  }

  /// Compares the files with what their configuration calls for.
  ///
  /// - Throws: ``CheckpointError`` for the first required tensor that is wrong, or absent though all files are there.
  init(_ set: GGUFFileSet, _ configuration: ModelConfiguration) throws {
    files = Dictionary(uniqueKeysWithValues: set.files.map { ($0.name, $0) })
    let found = Dictionary(
      uniqueKeysWithValues: set.files.flatMap { file in
        file.header.tensors.map { ($0.name, Place(file: file, tensor: $0)) }
      })
    let layout = GGUFLayout(configuration: configuration) { found[$0] != nil }
    var required: Set<String> = []
    var keys: [String: TensorSource] = [:]
    for wanted in layout.tensors() {
      guard let place = found[wanted.name] else {
        guard !set.missing.isEmpty else { throw GGUFStore.absent(wanted, layout, Set(found.keys), set.name) }
        absentCount += 1
        continue
      }
      let type = try GGUFStore.check(place.tensor, wanted, place.file.name)
      required.insert(wanted.name)
      types[wanted.name] = type
      switch wanted.content {
      case .plain(let name): add(name, place, type, part: 0, of: 1, isVector: wanted.dimensions.count == 1)
      case .experts(let layer, let projection):
        let names = layout.expertNames(layer, projection)
        for (index, name) in names.enumerated() { add(name, place, type, part: index, of: names.count) }
      case .keys(let name): keys[name] = source(place, type)
      case .values(let name):
        // Keys come before values, but may lie in a part that is not here.
        guard let keys = keys.removeValue(forKey: name) else { continue }
        add(name, HeadRows(keys: keys, values: source(place, type), heads: configuration.heads), place, type)
      }
    }
    for name in found.keys.sorted() where !required.contains(name) {
      let layer = name.hasPrefix("blk.") ? Int(name.dropFirst(4).prefix { $0 != "." }) : nil
      let isBehind = layer.map { $0 >= configuration.layers } ?? false
      if isBehind { skipped.append(name) } else { surplus.append(name) }
    }
  }

  /// A tensor of the file, or one of `count` equal parts of it along the last dimension.
  private mutating func add(
    _ name: String, _ place: Place, _ type: ElementType, part: Int, of count: Int, isVector: Bool = false
  ) {
    let tensor = place.tensor
    let size = tensor.byteRange.count / count
    let start = tensor.byteRange.lowerBound + part * size
    let shape = isVector ? [tensor.columns] : [tensor.rows / count, tensor.columns]
    tensors[name] = TensorInfo(
      name: name, type: type, shape: shape, file: place.file.name, byteRange: start..<start + size)
  }

  private mutating func add(_ name: String, _ rows: HeadRows, _ values: Place, _ type: ElementType) {
    headRows[name] = rows
    tensors[name] = TensorInfo(
      name: name, type: type, shape: [rows.heads * rows.keys.columns + rows.values.rows, rows.values.columns],
      file: values.file.name, byteRange: values.tensor.byteRange)
  }

  private func source(_ place: Place, _ type: ElementType) -> TensorSource {
    let tensor = place.tensor
    return TensorSource(
      name: tensor.name, rows: tensor.rows, columns: tensor.columns, type: type,
      layout: .rows(.init(map: place.file.map, range: tensor.byteRange)))
  }

  private func range(of tensor: TensorInfo) -> TensorSource.MappedRange {
    guard let file = files[tensor.file] else { preconditionFailure("tensors come from the files") }
    return TensorSource.MappedRange(map: file.map, range: tensor.byteRange)
  }

  func storedBytes(_ tensor: TensorInfo) -> Int {
    guard let keys = headRows[tensor.name]?.keys else { return tensor.byteRange.count }
    return tensor.byteRange.count + keys.rows * keys.rowBytes
  }

  func matrix(_ tensor: TensorInfo) throws -> TensorSource {
    let layout: TensorSource.Layout =
      headRows[tensor.name].map { .heads($0) } ?? .rows(range(of: tensor))
    return TensorSource(
      name: tensor.name, rows: tensor.shape[0], columns: tensor.shape[1], type: tensor.type, layout: layout)
  }

  func vector(_ tensor: TensorInfo) -> TensorSource.MappedRange { range(of: tensor) }

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
        hint: wanted.isPrecise
          ? "Norms and gates are never quantised: convert the checkpoint again."
          : "This type does not run: fetch another quantisation of the model, such as Q4_K_M, Q6_K or Q8_0."
      )
    }
    return type
  }

  private static func absent(
    _ wanted: GGUFLayout.Tensor, _ layout: GGUFLayout, _ found: Set<String>, _ file: String
  ) -> CheckpointError {
    let missing = layout.tensors().count { !found.contains($0.name) }
    return .tensor(
      wanted.name, file: file, expected: "dimensions \(wanted.dimensions)",
      found: missing > 1 ? "nothing; \(missing) required tensors are absent" : "nothing",
      hint: "Metadata and tensors do not belong together: convert the checkpoint again.")
  }
}
