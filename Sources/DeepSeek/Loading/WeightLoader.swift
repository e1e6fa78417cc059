import Checkpoint
import Kernels

/// Turns a checkpoint's tensors into what runs, and reports how far it is.
public final class WeightLoader {
  let checkpoint: Checkpoint
  let formats: WeightFormats
  let compute: Compute
  /// Called with the weights packed so far after each tensor; what it throws ends the loading.
  public var progress: ((_ parameters: Int) throws -> Void)?
  private var parametersDone = 0

  public init(checkpoint: Checkpoint, formats: WeightFormats, compute: Compute) {
    self.checkpoint = checkpoint
    self.formats = formats
    self.compute = compute
  }

  var configuration: ModelConfiguration { checkpoint.configuration }

  /// A whole matrix, packed in the run format of its part.
  func matrix(_ name: String, _ part: WeightFormats.Part) throws -> PackedMatrix {
    try matrix(name) { formats.format(part, columns: $0) }
  }

  /// A whole matrix, packed in the format that `format` names for its columns.
  func matrix(_ name: String, format: (_ columns: Int) -> WeightFormat) throws -> PackedMatrix {
    if let prepared = checkpoint.prepared { return try mapped(name, prepared, format: format)[0] }
    let source = try checkpoint.matrix(name)
    let packed = pack(source, as: source.runFormat(format(source.columns)))
    source.release()
    try done(source.rows * source.columns)
    return packed
  }

  /// Blocks that a file holds in the run format are packed as they are.
  func pack(_ source: TensorSource, as format: WeightFormat) -> PackedMatrix {
    if let block = format.block, source.type.block == block, source.isContiguous {
      return PackedMatrix(
        rows: source.rows, columns: source.columns, blocks: format, compute: compute, rawRows: source.rawRows)
    }
    if format == .fp8, let codes = source.scaledCodes { return pack(codes, rows: 0..<source.rows) }
    return PackedMatrix(rows: source.rows, columns: source.columns, format: format, compute: compute) { rows, out in
      source.readRows(rows, into: out, stride: source.columns)
    }
  }

  /// Matrices of a prepared model, which run where they lie.
  func mapped(
    _ name: String, _ prepared: PreparedStore, format: (_ columns: Int) -> WeightFormat
  ) throws -> [PackedMatrix] {
    let matrices = try prepared.matrices(name)
    for matrix in matrices {
      let expected = format(matrix.columns)
      guard expected.includes(matrix.format) else {
        throw CheckpointError(
          file: PreparedManifest.fileName, subject: "tensor \(name)", expected: "format \(expected), as of its part",
          found: "\(matrix.format)", hint: "The manifest is damaged: copy it again, or prepare the model again.")
      }
      try done(matrix.rows * matrix.columns)
    }
    return matrices
  }

  func vector(_ name: String) throws -> [Float] { try checkpoint.vector(name) }

  func feedForward(_ names: ParameterNames.FeedForward, _ part: WeightFormats.Part, layer: Int) throws -> FeedForward {
    FeedForward(
      gate: try matrix(names.gate, part), up: try matrix(names.up, part),
      down: try matrix(names.down) { formats.down(part, layer: layer, of: configuration.layers, columns: $0) })
  }

  func done(_ parameters: Int) throws {
    parametersDone += parameters
    try progress?(parametersDone)
  }
}
