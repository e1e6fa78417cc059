import Checkpoint
import Kernels

/// Turns a checkpoint's tensors into what runs, and reports how far it is.
public final class WeightLoader {
  let checkpoint: Checkpoint
  let formats: WeightFormats
  let compute: Compute
  /// Called with the weights packed so far after each tensor; what it throws ends the loading.
  public var progress: ((_ parameters: Int) throws -> Void)?
  /// Whether matrices of a prepared model are copied into huge pages, instead of running where they lie.
  public var copiesPrepared = false
  private var parametersDone = 0
  /// What matrices of a phantom share; nil for a model with weights.
  let shared: SharedMatrices?

  public init(checkpoint: Checkpoint, formats: WeightFormats, compute: Compute) {
    shared = checkpoint.isPhantom ? SharedMatrices() : nil
    self.checkpoint = checkpoint
    self.formats = formats
    self.compute = compute
  }

  var configuration: ModelConfiguration { checkpoint.configuration }

  /// A whole matrix, packed in the run format of its part.
  func matrix(_ name: String, _ part: WeightFormats.Part) throws -> PackedMatrix {
    try matrix(name) { formats.format(part, name, columns: $0) }
  }

  /// A whole matrix, packed in the format that `format` names for its columns.
  ///
  /// - Parameter isOwn: never shared with another, in a phantom too.
  func matrix(
    _ name: String, isOwn: Bool = false, format: (_ columns: Int) -> WeightFormat
  ) throws -> PackedMatrix {
    guard let whole = try matrix(name, isOwn: isOwn, rows: { 0..<$0 }, format: format) else {
      preconditionFailure("\(name) has rows")
    }
    return whole
  }

  /// Some rows of a matrix; nil where those are none.
  ///
  /// - Parameter rows: which, of so many.
  func matrix(
    _ name: String, isOwn: Bool = false, rows: (_ count: Int) -> Range<Int>, format: (_ columns: Int) -> WeightFormat
  ) throws -> PackedMatrix? {
    if let prepared = checkpoint.prepared { return try mapped(name, prepared, rows: rows, format: format).first }
    let source = try checkpoint.matrix(name)
    let rows = rows(source.rows)
    guard !rows.isEmpty else { return nil }
    if let shared, !isOwn { return try phantom(name, rows: rows, shared, format) }
    let packed = pack(source, rows: rows, as: source.runFormat(format(source.columns)))
    source.release()
    try done(rows.count * source.columns)
    return packed
  }

  /// A matrix, or some of its rows. Blocks that a file holds in the run format, or in one of the same numbers, are
  /// packed without quantising them anew.
  func pack(_ source: TensorSource, rows: Range<Int>? = nil, as format: WeightFormat) -> PackedMatrix {
    let rows = rows ?? 0..<source.rows
    func inSource(_ range: Range<Int>) -> Range<Int> {
      rows.lowerBound + range.lowerBound..<rows.lowerBound + range.upperBound
    }
    if let block = format.block, source.hasBlocks(block) {
      return PackedMatrix(rows: rows.count, columns: source.columns, blocks: format, compute: compute) { range, pack in
        source.withBlocks(block, inSource(range), pack)
      }
    }
    if format == .fp8, let codes = source.scaledCodes { return pack(codes, rows: rows) }
    return PackedMatrix(rows: rows.count, columns: source.columns, format: format, compute: compute) { range, out in
      source.readRows(inSource(range), into: out, stride: source.columns)
    }
  }

  /// Matrices of a prepared model, or some rows of each, which run where they lie or as copies.
  func mapped(
    _ name: String, _ prepared: PreparedStore, rows: (_ count: Int) -> Range<Int> = { 0..<$0 },
    format: (_ columns: Int) -> WeightFormat
  ) throws -> [PackedMatrix] {
    let stored = try prepared.matrices(name)
    var matrices = try stored.compactMap { matrix in
      let (whole, range) = (try checked(matrix, name, format), rows(matrix.rows))
      return range.isEmpty ? nil : range.count == whole.rows ? whole : whole.slice(range)
    }
    if copiesPrepared {
      let isWhole = zip(matrices, stored).allSatisfy { $0.rows == $1.rows }
      if isWhole { prepared.fetchAhead(name) }
      matrices = matrices.map { $0.copied(compute) }
      prepared.release(name)
    }
    for matrix in matrices { try done(matrix.rows * matrix.columns) }
    return matrices
  }

  /// A matrix of a prepared model, if its format is the one of its part.
  private func checked(
    _ matrix: PackedMatrix, _ name: String, _ format: (_ columns: Int) -> WeightFormat
  ) throws -> PackedMatrix {
    let expected = format(matrix.columns)
    guard expected.includes(matrix.format) else {
      throw CheckpointError(
        file: PreparedManifest.fileName, subject: "tensor \(name)", expected: "format \(expected), as of its part",
        found: "\(matrix.format)", hint: "The manifest is damaged: copy it again, or prepare the model again.")
    }
    return matrix
  }

  func vector(_ name: String) throws -> [Float] { try checkpoint.vector(name) }

  func feedForward(_ names: ParameterNames.FeedForward, _ part: WeightFormats.Part, layer: Int) throws -> FeedForward {
    FeedForward(
      gate: try matrix(names.gate, part), up: try matrix(names.up, part),
      down: try matrix(names.down) {
        formats.down(part, names.down, layer: layer, of: configuration.layers, columns: $0)
      })
  }

  func done(_ parameters: Int) throws {
    parametersDone += parameters
    try progress?(parametersDone)
  }
}
