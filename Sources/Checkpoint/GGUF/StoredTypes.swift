/// How the tensors of a GGUF model are stored: what decides the formats that it runs in as it is.
public struct StoredTypes: Sendable, Equatable {
  /// Type and length of a matrix' rows.
  public struct Rows: Sendable, Equatable {
    public let type: ElementType
    public let columns: Int
  }

  /// By official name; `kv_b_proj` only where it lies in one piece.
  public private(set) var matrices: [String: Rows] = [:]
  /// Where a layer's `kv_b_proj` is split: the keys' part, whose rows are transposed, and the values'.
  public private(set) var latentUp: [String: (keys: Rows, values: Rows)] = [:]
  /// By the names in the file.
  private let types: [String: ElementType]

  /// - Parameters:
  ///   - types: of the required tensors, by the names in the file. Absent ones are taken to be like the same tensor of
  ///     another layer.
  ///   - usual: the type where there is none in any layer; nil: that of most blocks.
  init(_ types: [String: ElementType], _ configuration: ModelConfiguration, usual: ElementType? = nil) {
    self.types = types
    let layout = GGUFLayout(configuration: configuration) { types[$0] != nil }
    let likeness = Likeness(types, usual)
    for tensor in layout.tensors() where tensor.dimensions.count > 1 {
      let rows = Rows(type: types[tensor.name] ?? likeness.type(tensor), columns: tensor.dimensions[0])
      switch tensor.content {
      case .plain(let name): matrices[name] = rows
      case .experts(let layer, let projection):
        for name in layout.expertNames(layer, projection) { matrices[name] = rows }
      case .keys(let name): latentUp[name] = (rows, rows)
      case .values(let name): latentUp[name]?.values = rows
      }
    }
  }

  public static func == (left: StoredTypes, right: StoredTypes) -> Bool { left.types == right.types }

  /// The types of tensors by their names without numbers.
  private struct Likeness {
    private var byName: [String: ElementType] = [:]
    private let usual: ElementType

    init(_ types: [String: ElementType], _ said: ElementType?) {
      var counts: [ElementType: Int] = [:]
      for (name, type) in types.sorted(by: { $0.key < $1.key }) {
        byName[Self.bare(name)] = type
        if type.isBlock { counts[type, default: 0] += 1 }
      }
      usual = said ?? counts.max { ($0.value, $1.key.rawValue) < ($1.value, $0.key.rawValue) }?.key ?? .f32
    }

    /// Rows that no block divides take others, as in ``GGUFMix``.
    func type(_ tensor: GGUFLayout.Tensor) -> ElementType {
      let (type, columns) = (byName[Self.bare(tensor.name)] ?? usual, tensor.dimensions[0])
      guard let block = GGMLType(type)?.blockElements, columns % block != 0 else { return type }
      return columns % 32 == 0 ? .q8_0 : .f16
    }

    private static func bare(_ name: String) -> String { name.filter { !("0"..."9").contains($0) } }
  }
}

// A prepared model keeps the types in its metadata: every node needs all of them, wherever the bundles are.
extension StoredTypes {
  private static let namesKey = "flotilla.tensor_names"
  private static let typesKey = "flotilla.tensor_types"

  /// Metadata that ``init(_:_:file:)`` reads.
  var metadata: [(String, GGUFValue)] {
    let sorted = types.sorted { $0.key < $1.key }
    let codes = sorted.map { Int32(GGMLType($0.value)?.rawValue ?? 0) }
    return [
      (Self.namesKey, .strings(sorted.map(\.key))), (Self.typesKey, .numbers(GGUFNumbers(codes))),
    ]
  }

  /// Nil where the metadata say nothing of types.
  ///
  /// - Throws: ``CheckpointError`` naming the key.
  init?(_ metadata: GGUFMetadata, _ configuration: ModelConfiguration, file: String) throws {
    guard metadata[Self.namesKey] != nil else { return nil }
    guard let names = metadata[Self.namesKey]?.strings, let codes = metadata[Self.typesKey]?.numbers?.integers,
      names.count == codes.count
    else {
      throw CheckpointError.field(
        Self.typesKey, file: file, expected: "a type for each of \(Self.namesKey)",
        found: metadata[Self.typesKey]?.shown ?? "nothing", hint: "Prepare the model again.")
    }
    var types: [String: ElementType] = [:]
    for (name, code) in zip(names, codes) {
      guard let type = UInt32(exactly: code).flatMap(GGMLType.init(rawValue:)).flatMap({ ElementType($0) }) else {
        throw CheckpointError.field(
          Self.typesKey, file: file, expected: "numbers of types that run", found: "\(code)",
          hint: "Prepare the model again.")
      }
      types[name] = type
    }
    self.init(types, configuration)
  }
}
