import Synchronization

/// The tensors of a ``PhantomModel``: every name, shape and type of the real one, over numbers that repeat.
final class PhantomStore: TensorStore {
  let tensors: [String: TensorInfo]
  let fileCount = 0
  let tensorBytes: Int
  let headerHashes: [[UInt8]]
  let mappedFiles: [MappedFile] = []
  private let model: PhantomModel
  /// Vectors: as many ones as the longest needs, then the biases of the gates, layer by layer. f32
  private let vectors: MappedFile
  private let biases: [String: Int]
  /// Normal numbers by their deviation, bf16, for as many weights as the largest matrix of that deviation has.
  private let matrices: [Float: MappedFile]

  init(_ model: PhantomModel) throws {
    self.model = model
    let stored = ParameterInventory(model.configuration).storedTensors(plain: .bf16)
    var tensors: [String: TensorInfo] = [:]
    tensors.reserveCapacity(stored.count)
    var largest: [Float: Int] = [:]
    var longest = 1
    for tensor in stored {
      let type = tensor.shape.count == 2 ? tensor.type : .f32
      let bytes = tensor.shape.reduce(1, *) * type.bytes
      tensors[tensor.name] = TensorInfo(
        name: tensor.name, type: type, shape: tensor.shape, file: model.name, byteRange: 0..<bytes)
      if tensor.shape.count == 2 {
        let deviation = Self.deviation(tensor.name, tensor.shape[1])
        largest[deviation] = max(largest[deviation] ?? 0, bytes)
      } else {
        longest = max(longest, tensor.shape[0])
      }
    }
    self.tensors = tensors
    tensorBytes = tensors.values.reduce(0) { $0 + $1.byteRange.count }
    matrices = try Dictionary(
      uniqueKeysWithValues: largest.map { deviation, bytes in
        (deviation, try Self.numbers(model, deviation, bytes: bytes))
      })
    (vectors, biases) = try Self.vectors(model, ones: longest)
    let text = "phantom \(model.seed) \(model.skew) \(model.configuration)"
    headerHashes = [Digest(of: Array(text.utf8)).bytes]
  }

  func storedBytes(_ tensor: TensorInfo) -> Int { tensor.byteRange.count }

  func matrix(_ tensor: TensorInfo) -> TensorSource {
    source(tensor, start: RandomTensor(seed: model.seed, name: tensor.name).bits(0))
  }

  /// The matrix that stands for all of the same shape in the same slot, and its place among `copies` of every slot.
  func matrix(_ tensor: TensorInfo, slots: Int, copies: Int) -> (place: Int, source: TensorSource) {
    let place = Int(RandomTensor(seed: model.seed, name: tensor.name).bits(1) % UInt64(slots * copies))
    // Whatever the copies: places of the same slot are those that differ by a multiple of slots.
    return (place, source(tensor, start: RandomTensor(seed: model.seed, name: "slot \(place % slots)").bits(0)))
  }

  /// - Parameter start: matrices with different ones begin at different numbers.
  private func source(_ tensor: TensorInfo, start: UInt64) -> TensorSource {
    guard let map = matrices[Self.deviation(tensor.name, tensor.shape[1])] else {
      preconditionFailure("\(tensor.name) is one of the tensors")
    }
    let first = Int(start % UInt64(Self.period / 2)) * 2
    return TensorSource(
      name: tensor.name, rows: tensor.shape[0], columns: tensor.shape[1], type: tensor.type,
      layout: .rows(.init(map: map, range: first..<first + tensor.byteRange.count)))
  }

  func vector(_ tensor: TensorInfo) -> TensorSource.MappedRange {
    let start = biases[tensor.name] ?? 0
    return TensorSource.MappedRange(map: vectors, range: start..<start + tensor.byteRange.count)
  }

  // MARK: The numbers

  /// 8 MiB: more distinct rows than an expert has.
  private static let period = 8 << 20

  /// Embeddings count as they are, products keep the size of their inputs.
  private static func deviation(_ name: String, _ columns: Int) -> Float {
    name == ParameterNames.embedding ? 1 : 1 / Float(columns).squareRoot()
  }

  private static func numbers(_ model: PhantomModel, _ deviation: Float, bytes: Int) throws -> MappedFile {
    let table = NormalTable.bf16(deviation: deviation)
    let random = RandomTensor(seed: model.seed, name: "phantom \(deviation)")
    return try .repeating(name: model.name, period: period, bytes: bytes + period) { out in
      let target = out.bindMemory(to: UInt16.self)
      random.forEach(0..<target.count) { target[$0] = table[Int($1)] }
    }
  }

  private static func vectors(_ model: PhantomModel, ones: Int) throws -> (MappedFile, [String: Int]) {
    let configuration = model.configuration
    let hasBiases = configuration.selection == .biasedGroups
    var numbers = [Float](repeating: 1, count: ones)
    var starts: [String: Int] = [:]
    for layer in configuration.moeLayers where hasBiases {
      starts[ParameterNames.gateBias(layer)] = numbers.count * 4
      numbers += model.gateBias(layer: layer)
    }
    let page = 4096
    let bytes = (numbers.count * 4 + page - 1) / page * page
    let map = try MappedFile.repeating(name: model.name, period: bytes, bytes: bytes) { out in
      numbers.withUnsafeBytes { out.copyMemory(from: $0) }
    }
    return (map, starts)
  }
}
