import Checkpoint
import Kernels

/// The packed matrices of a phantom: few of each shape, which layers and experts share. There are so many that no usual
/// cache holds them, so that reading them costs what reading real weights costs; of matrices that ranks divide, each rank
/// reads its share only. Which one a tensor gets depends on its
/// name alone, so placements change no bit here either.
final class SharedMatrices {
  private struct Key: Hashable {
    let rows: Int
    let columns: Int
    let format: WeightFormat
    let slot: Int
    /// Of the whole matrix.
    let rowsHere: Range<Int>
  }

  /// Of the matrices of one shape and format, on each rank.
  private static let distinctBytes = 128 << 20
  private var matrices: [Key: PackedMatrix] = [:]
  /// The heads' shares of `kv_b_proj`, the same in every layer.
  var latentUp: UpProjections?

  /// How many matrices of a shape there are.
  func slots(rows: Int, columns: Int, _ format: WeightFormat) -> Int {
    let bytes = format.bytes(rows: rows, columns: columns)
    return max(1, (Self.distinctBytes + bytes - 1) / bytes)
  }

  /// - Parameters:
  ///   - rows: the ones that are wanted.
  ///   - pack: makes the matrix, the first time.
  func matrix(
    _ source: TensorSource, rows: Range<Int>, slot: Int, _ format: WeightFormat, pack: () -> PackedMatrix
  ) -> PackedMatrix {
    let key = Key(rows: source.rows, columns: source.columns, format: format, slot: slot, rowsHere: rows)
    if let made = matrices[key] { return made }
    let made = pack()
    matrices[key] = made
    return made
  }
}

extension WeightLoader {
  /// A matrix of a phantom, or some of its rows.
  func phantom(
    _ name: String, rows: Range<Int>? = nil, _ shared: SharedMatrices, _ format: (_ columns: Int) -> WeightFormat
  ) throws -> PackedMatrix {
    let shape = try checkpoint.matrix(name)
    let format = shape.runFormat(format(shape.columns))
    let slots = shared.slots(rows: shape.rows, columns: shape.columns, format)
    guard let (slot, source) = try checkpoint.phantomMatrix(name, slots: slots) else {
      preconditionFailure("only phantoms share matrices")
    }
    let rows = rows ?? 0..<shape.rows
    let packed = shared.matrix(source, rows: rows, slot: slot, format) { pack(source, rows: rows, as: format) }
    try done(rows.count * shape.columns)
    return packed
  }
}
