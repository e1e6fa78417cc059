import CKernels

extension Compute {
  /// The rows as a product with these weights wants them. q8 rows lie in this object's own memory and are valid
  /// until the next product that encodes.
  public func encode(_ rows: ActivationRows, for weights: PackedMatrix) -> ProductInput {
    guard weights.format.encoding == .q8 else { return .f32(rows) }
    return .q8(encode(rows, into: encodingRoom(rows: rows.count, columns: rows.columns)))
  }

  /// The same, in memory of the caller's, so that several products can share it.
  public func encode(_ rows: ActivationRows, as encoding: ActivationEncoding, in buffer: EncodedBuffer) -> ProductInput
  {
    switch encoding {
    case .f32: .f32(rows)
    case .q8: .q8(encode(rows, into: buffer.rows(rows.count, columns: rows.columns)))
    }
  }

  /// f32 rows -> q8, `[count, columns]`.
  @discardableResult
  public func encode(_ rows: ActivationRows, into encoded: EncodedRows) -> EncodedRows {
    precondition(rows.count == encoded.count && rows.columns == encoded.columns)
    forEachRow(rows.count, cost: rows.columns) { row in encode(rows[row], into: encoded, row: row) }
    return encoded
  }

  /// One row, on the calling thread.
  public func encode(_ values: UnsafeMutableBufferPointer<Float>, into encoded: EncodedRows, row: Int) {
    encode(values.baseAddress!, first: 0, count: values.count, into: encoded, row: row)
  }

  /// Columns `first ..< first + count` of a row, given by their first, on the calling thread. `first` is a multiple
  /// of 256, and so is `count` unless the row ends there.
  public func encode(
    _ values: UnsafePointer<Float>, first: Int, count: Int, into encoded: EncodedRows, row: Int
  ) {
    precondition(row >= 0 && row < encoded.count && first % 256 == 0 && first + count <= encoded.columns)
    precondition(count % 256 == 0 || first + count == encoded.columns)
    kernels.functions.encode(
      values, Int64(first), Int64(count), Int64(encoded.columns), encoded.base + row * encoded.stride)
  }
}
