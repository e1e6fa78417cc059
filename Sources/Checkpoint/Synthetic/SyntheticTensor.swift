import StrictJSON

/// One tensor of a synthetic checkpoint: what it is and how to fill any stretch of its elements.
struct SyntheticTensor: Sendable {
  enum Filling: Sendable {
    case ones
    case normal(deviation: Float)
    /// E4M3 codes under the block scales of the tensor `scales`.
    case codes(scales: RandomTensor, block: ModelConfiguration.BlockSize)
    case scales(deviation: Float)
  }

  let declaration: SafetensorsWriter.Declaration
  let filling: Filling
  let random: RandomTensor

  var elements: Int { declaration.shape.reduce(1, *) }
  var columns: Int { declaration.shape.last ?? 1 }
  var bytes: Int { elements * declaration.type.bytes }

  /// The tensors of `configuration` in checkpoint order, scales behind their weights.
  static func all(_ configuration: ModelConfiguration, seed: UInt64, plain: ElementType) -> [SyntheticTensor] {
    ParameterInventory(configuration).storedTensors(plain: plain).map { stored in
      SyntheticTensor(
        declaration: .init(stored.name, stored.type, stored.shape),
        filling: filling(of: stored, configuration.quantizationBlock, seed: seed),
        random: RandomTensor(seed: seed, name: stored.name))
    }
  }

  private static func filling(
    of stored: StoredTensor, _ block: ModelConfiguration.BlockSize?, seed: UInt64
  ) -> Filling {
    let parameter = stored.parameter
    guard parameter.shape.count == 2 else {
      return stored.name.hasSuffix(".e_score_correction_bias") ? .normal(deviation: 0.01) : .ones
    }
    let deviation = 1 / Float(parameter.shape[1]).squareRoot()
    if stored.name != parameter.name { return .scales(deviation: deviation) }
    if stored.type == .f8e4m3, let block {
      return .codes(scales: RandomTensor(seed: seed, name: ParameterNames.scale(of: stored.name)), block: block)
    }
    return .normal(deviation: stored.name.hasSuffix("embed_tokens.weight") ? 1 : deviation)
  }
}

/// The tables that fillings look numbers up in, made once for all tensors.
struct SyntheticTables: Sendable {
  private var bf16: [Float: [UInt16]] = [:]
  private var f32: [Float: [Float]] = [:]

  init(_ tensors: [SyntheticTensor]) {
    for tensor in tensors {
      guard case .normal(let deviation) = tensor.filling else { continue }
      if tensor.declaration.type == .f32 {
        if f32[deviation] == nil { f32[deviation] = NormalTable.f32(deviation: deviation) }
      } else if bf16[deviation] == nil {
        bf16[deviation] = NormalTable.bf16(deviation: deviation)
      }
    }
  }

  /// Fills `out` with the elements `range` of `tensor`.
  func fill(_ tensor: SyntheticTensor, _ range: Range<Int>, into out: UnsafeMutableRawPointer) {
    let type = tensor.declaration.type
    switch tensor.filling {
    case .ones:
      if type == .f32 {
        out.initializeMemory(as: Float.self, repeating: 1, count: range.count)
      } else {
        out.initializeMemory(as: UInt16.self, repeating: 0x3F80, count: range.count)
      }
    case .normal(let deviation):
      if type == .f32 {
        look(up: f32[deviation]!, tensor.random, range, into: out)
      } else {
        look(up: bf16[deviation]!, tensor.random, range, into: out)
      }
    case .scales(let deviation):
      let target = out.bindMemory(to: Float.self, capacity: range.count)
      tensor.random.forEach(range) { position, bits in
        target[position] = NormalTable.blockFactor(Int(bits & 15)) / NormalTable.e4m3Deviation * deviation
      }
    case .codes(let scales, let block):
      fillCodes(tensor, scales, block, range, into: out.bindMemory(to: UInt8.self, capacity: range.count))
    }
  }

  private func look<Element>(
    up table: [Element], _ random: RandomTensor, _ range: Range<Int>, into out: UnsafeMutableRawPointer
  ) {
    let target = out.bindMemory(to: Element.self, capacity: range.count)
    table.withUnsafeBufferPointer { table in
      let values = table.baseAddress!
      random.forEach(range) { target[$0] = values[Int($1)] }
    }
  }

  private func fillCodes(
    _ tensor: SyntheticTensor, _ scales: RandomTensor, _ block: ModelConfiguration.BlockSize,
    _ range: Range<Int>, into out: UnsafeMutablePointer<UInt8>
  ) {
    let columns = tensor.columns
    let gridColumns = (columns + block.columns - 1) / block.columns
    var index = range.lowerBound
    while index < range.upperBound {
      let (row, column) = (index / columns, index % columns)
      let blockColumn = column / block.columns
      let end = min(row * columns + min((blockColumn + 1) * block.columns, columns), range.upperBound)
      var level = 0
      let cell = row / block.rows * gridColumns + blockColumn
      scales.forEach(cell..<(cell + 1)) { level = Int($1 & 15) }
      look(up: NormalTable.e4m3[level], tensor.random, index..<end, into: out + (index - range.lowerBound))
      index = end
    }
  }
}
