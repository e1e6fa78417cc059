import Checkpoint
import Kernels

/// The packed matrices of a phantom: few of each shape, which layers and experts share. There are so many that no usual
/// cache holds them, so that reading them costs what reading real weights costs: where a rank has some rows of each
/// only, the same numbers lie in more places. Which numbers a tensor gets depends on its name alone, so placements change
/// no bit here either.
///
/// Not so on a coordinator that divides: it holds whole matrices and reads its own rows of them, with N ranks an Nth of
/// each pool. Where a last-level cache holds that beside what is read in between, its part is faster than the real
/// model's. Copies of whole matrices would take N times the memory.
final class SharedMatrices {
  private struct Key: Hashable {
    let rows: Int
    let columns: Int
    let format: WeightFormat
    /// Its slot, or one of the copies of that.
    let place: Int
    /// Of the whole matrix.
    let rowsHere: Range<Int>
  }

  /// Of the rows of matrices of one shape and format that a rank holds.
  private static let distinctBytes = 128 << 20
  private var matrices: [Key: PackedMatrix] = [:]
  /// The heads' shares of `kv_b_proj`, the same in every layer.
  var latentUp: UpProjections?

  /// Of all of them.
  var bytes: Int { matrices.values.reduce(0) { $0 + $1.bytes } }

  /// How many matrices of a shape there are that differ.
  func slots(rows: Int, columns: Int, _ format: WeightFormat) -> Int {
    Self.count(of: format.bytes(rows: rows, columns: columns))
  }

  /// In how many places the same rows of each of these lie.
  func copies(slots: Int, rows: Int, columns: Int, _ format: WeightFormat) -> Int {
    Self.count(of: slots * format.bytes(rows: rows, columns: columns))
  }

  private static func count(of bytes: Int) -> Int { max(1, (distinctBytes + bytes - 1) / bytes) }

  /// - Parameters:
  ///   - rows: the ones that are wanted.
  ///   - pack: makes the matrix, the first time.
  func matrix(
    _ source: TensorSource, rows: Range<Int>, place: Int, _ format: WeightFormat, pack: () -> PackedMatrix
  ) -> PackedMatrix {
    let key = Key(rows: source.rows, columns: source.columns, format: format, place: place, rowsHere: rows)
    if let made = matrices[key] { return made }
    let made = pack()
    matrices[key] = made
    return made
  }
}

extension WeightLoader {
  /// Memory of a phantom's matrices; nil for a model with weights.
  package var sharedBytes: Int? { shared?.bytes }

  /// A matrix of a phantom, or some of its rows.
  func phantom(
    _ name: String, rows: Range<Int>, _ shared: SharedMatrices, _ format: (_ columns: Int) -> WeightFormat
  ) throws -> PackedMatrix {
    let shape = try checkpoint.matrix(name)
    let format = shape.runFormat(format(shape.columns))
    let slots = shared.slots(rows: shape.rows, columns: shape.columns, format)
    let copies = shared.copies(slots: slots, rows: rows.count, columns: shape.columns, format)
    guard let (place, source) = try checkpoint.phantomMatrix(name, slots: slots, copies: copies) else {
      preconditionFailure("only phantoms share matrices")
    }
    let packed = shared.matrix(source, rows: rows, place: place, format) { pack(source, rows: rows, as: format) }
    try done(rows.count * shape.columns)
    return packed
  }
}
