/// Consecutive rows of an exported tensor that come from one matrix of the checkpoint.
struct GGUFPart: Sendable {
  let source: Source
  /// Type of the export.
  let type: GGMLType
  let rows: Int
  let columns: Int
  /// Of the first row in the tensor, in bytes.
  let offset: Int

  /// Where the rows come from.
  enum Source: Sendable {
    /// Rows of a matrix from this one on.
    case rows(TensorSource, from: Int)
    /// Columns of some rows of a matrix.
    case columns(TensorSource, ofRows: Range<Int>)
    /// One row.
    case vector([Float])

    var name: String {
      switch self {
      case .rows(let source, from: _), .columns(let source, ofRows: _): source.name
      case .vector: "vector"
      }
    }

    func release() {
      switch self {
      case .rows(let source, from: 0): source.release()
      // Heads share a matrix, whose pages the neighbours still need.
      case .rows, .columns, .vector: break
      }
    }
  }

  var rowBytes: Int { columns / type.blockElements * type.blockBytes }

  /// The parts of a tensor in order.
  static func parts(
    of tensor: GGUFLayout.Tensor, _ type: GGMLType, _ checkpoint: Checkpoint
  ) throws -> [GGUFPart] {
    let model = checkpoint.configuration
    let columns = tensor.dimensions[0]
    let rowBytes = columns / type.blockElements * type.blockBytes
    func part(_ source: Source, rows: Int, at index: Int) -> GGUFPart {
      GGUFPart(source: source, type: type, rows: rows, columns: columns, offset: index * rows * rowBytes)
    }
    switch tensor.content {
    case .plain(let name) where tensor.dimensions.count == 1:
      return [part(.vector(try checkpoint.vector(name)), rows: 1, at: 0)]
    case .plain(let name):
      return [part(.rows(try checkpoint.matrix(name), from: 0), rows: tensor.rows, at: 0)]
    case .experts(let layer, let projection):
      let names = GGUFLayout(configuration: model).expertNames(layer, projection)
      let rows = tensor.rows / names.count
      return try names.enumerated().map { index, name in
        part(.rows(try checkpoint.matrix(name), from: 0), rows: rows, at: index)
      }
    case .keys(let name):
      let source = try checkpoint.matrix(name)
      let perHead = model.nopeDimension + model.valueDimension
      return (0..<model.heads).map { head in
        let rows = head * perHead..<head * perHead + model.nopeDimension
        return part(.columns(source, ofRows: rows), rows: model.latentRank, at: head)
      }
    case .values(let name):
      let source = try checkpoint.matrix(name)
      let perHead = model.nopeDimension + model.valueDimension
      return (0..<model.heads).map { head in
        part(.rows(source, from: head * perHead + model.nopeDimension), rows: model.valueDimension, at: head)
      }
    }
  }

  /// Largest number of f32 elements that are converted at once.
  private static let pieceElements = 1 << 20

  /// The rows, in stretches that are the work of one thread at a time.
  func pieces() -> [Range<Int>] {
    let step: Int
    if case .columns = source {
      // A head is small, and transposed as a whole.
      step = rows
    } else {
      step = max(1, GGUFPart.pieceElements / columns)
    }
    return stride(from: 0, to: rows, by: step).map { $0..<min($0 + step, rows) }
  }

  /// Calls `body` with the given rows in the export's type.
  func withBytes(
    _ range: Range<Int>, _ body: (UnsafeRawBufferPointer) throws(CheckpointError) -> Void
  ) throws(CheckpointError) {
    if case .rows(let matrix, let first) = source, matrix.isContiguous, ElementType(type) == matrix.type {
      return try body(matrix.rawRows(first + range.lowerBound..<first + range.upperBound))
    }
    let values = UnsafeMutableBufferPointer<Float>.allocate(capacity: range.count * columns)
    defer { values.deallocate() }
    read(range, into: values.baseAddress!)
    if type == .f16 { try requireHalf(values) }
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: range.count * rowBytes, alignment: 64)
    defer { bytes.deallocate() }
    RowEncoding.encode(values.baseAddress!, rows: range.count, columns: columns, as: type, into: bytes.baseAddress!)
    try body(UnsafeRawBufferPointer(bytes))
  }

  /// What F16 cannot hold would run as an infinity.
  private func requireHalf(_ values: UnsafeMutableBufferPointer<Float>) throws(CheckpointError) {
    guard let value = values.first(where: { $0.isFinite && $0.magnitude >= 65_520 }) else { return }
    throw CheckpointError(
      file: "weights", subject: "tensor \(source.name)", expected: "values up to 65504 for F16", found: "\(value)",
      hint: "Export another type.")
  }

  private func read(_ range: Range<Int>, into out: UnsafeMutablePointer<Float>) {
    switch source {
    case .rows(let matrix, let first):
      matrix.readRows(first + range.lowerBound..<first + range.upperBound, into: out, stride: columns)
    case .columns(let matrix, let rows):
      let scratch = UnsafeMutableBufferPointer<Float>.allocate(capacity: rows.count * matrix.columns)
      defer { scratch.deallocate() }
      matrix.readRows(rows, into: scratch.baseAddress!, stride: matrix.columns)
      for (row, column) in range.enumerated() {
        for index in 0..<rows.count { out[row * columns + index] = scratch[index * matrix.columns + column] }
      }
    case .vector(let values):
      for (index, value) in values.enumerated() { out[index] = value }
    }
  }
}

extension GGUFLayout.Tensor {
  /// Rows of all dimensions but the first.
  var rows: Int { dimensions.dropFirst().reduce(1, *) }
}
