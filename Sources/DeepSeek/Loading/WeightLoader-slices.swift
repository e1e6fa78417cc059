import Checkpoint
import Kernels

// The heads' shares of `kv_b_proj`.
extension WeightLoader {
  /// `rows` of a matrix, transposed: `[columns, rows.count]`.
  func transposed(_ source: TensorSource, rows: Range<Int>, as format: WeightFormat) -> PackedMatrix {
    if format == .fp8, let codes = source.scaledCodes { return packTransposed(codes, rows: rows) }
    let original = ActivationBuffer(capacity: rows.count, columns: source.columns)
    let values = original.rows(rows.count)
    source.readRows(rows, into: values.base, stride: source.columns)
    return withExtendedLifetime(original) {
      PackedMatrix(rows: source.columns, columns: rows.count, format: format, compute: compute) { range, out in
        for (index, column) in range.enumerated() {
          for row in 0..<rows.count { out[index * rows.count + row] = values.base[row * source.columns + column] }
        }
      }
    }
  }

  /// Codes as they are stored, with a scale for every row.
  func pack(_ codes: ScaledCodes, rows: Range<Int>) -> PackedMatrix {
    let first = rows.lowerBound
    return PackedMatrix(
      rows: rows.count, columns: codes.columns, compute: compute,
      codes: { codes.rows(first + $0.lowerBound..<first + $0.upperBound) },
      scale: { codes.scale(row: first + $0, blockColumn: $1) })
  }

  /// The same, transposed. Each 128 rows share their scales: ``WeightFormats/keysTransposed(_:)`` has made sure.
  private func packTransposed(_ codes: ScaledCodes, rows: Range<Int>) -> PackedMatrix {
    let columns = codes.columns
    return withUnsafeTemporaryAllocation(byteCount: columns * rows.count, alignment: 64) { transposed in
      let original = codes.rows(rows)
      for row in 0..<rows.count {
        for column in 0..<columns { transposed[column * rows.count + row] = original[row * columns + column] }
      }
      let bytes = UnsafeRawBufferPointer(transposed)
      return PackedMatrix(
        rows: columns, columns: rows.count, compute: compute,
        codes: {
          UnsafeRawBufferPointer(rebasing: bytes[$0.lowerBound * rows.count..<$0.upperBound * rows.count])
        },
        scale: { codes.scale(row: rows.lowerBound + $1 * codes.block.rows, blockColumn: $0 / codes.block.columns) })
    }
  }
}

extension TensorSource {
  /// The format that a matrix runs in where its part runs in `wanted`: fp8 keeps what is stored in another type as it
  /// is.
  func runFormat(_ wanted: WeightFormat) -> WeightFormat {
    wanted == .fp8 ? WeightFormat(keeping: type, block: scaledCodes?.block) : wanted
  }
}

extension WeightFormat {
  /// Whether a matrix of a part in this format may run in `other`.
  func includes(_ other: WeightFormat) -> Bool { self == other || self == .fp8 && (other == .bf16 || other == .f32) }
}

extension ModelConfiguration.BlockSize {
  /// The blocks of official checkpoints, which ``WeightFormat/fp8`` has too.
  public static let fp8 = Self(rows: 128, columns: 128)
}
