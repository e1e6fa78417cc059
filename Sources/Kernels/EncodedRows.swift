/// A window on q8 activation rows, `[count, columns]`: symmetric codes within ±127, rounded to nearest even, with one
/// f32 scale for 256 columns, and the sums of codes that the kernels need. Rows are `stride` bytes apart; a row is
/// laid out as `fk_kernels.encode` says. What travels to expert hosts is exactly this.
///
/// It does not own its memory: whoever hands one out keeps the ``EncodedBuffer`` (or message) behind it alive.
public struct EncodedRows: @unchecked Sendable {
  public let base: UnsafeMutableRawPointer
  public let count: Int
  public let columns: Int
  /// Distance between rows, in bytes.
  public let stride: Int

  public init(base: UnsafeMutableRawPointer, count: Int, columns: Int, stride: Int? = nil) {
    self.base = base
    self.count = count
    self.columns = columns
    self.stride = stride ?? ActivationEncoding.q8.rowBytes(columns: columns)
  }

  /// Some of the rows.
  public subscript(rows range: Range<Int>) -> EncodedRows {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "rows \(range) of \(count)")
    return EncodedRows(base: base + range.lowerBound * stride, count: range.count, columns: columns, stride: stride)
  }
}

/// Owns memory for q8 rows, `[capacity, columns]`, 64-byte aligned and zeroed. Made at start-up and reused.
public final class EncodedBuffer: @unchecked Sendable {
  public let capacity: Int
  public let columns: Int
  private let base: UnsafeMutableRawPointer

  public init(capacity: Int, columns: Int) {
    self.capacity = capacity
    self.columns = columns
    let bytes = max(64, capacity * ActivationEncoding.q8.rowBytes(columns: columns))
    base = .allocate(byteCount: bytes, alignment: 64)
    base.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
  }

  deinit { base.deallocate() }

  /// The first `count` rows; of fewer columns than the buffer was made for, if asked.
  public func rows(_ count: Int, columns: Int? = nil) -> EncodedRows {
    let columns = columns ?? self.columns
    precondition(count >= 0 && count <= capacity, "\(count) rows of a buffer of \(capacity)")
    precondition(columns <= self.columns, "\(columns) columns of a buffer of \(self.columns)")
    return EncodedRows(base: base, count: count, columns: columns)
  }
}

/// The rows that go into a product, in the encoding that its weights want.
public enum ProductInput: Sendable {
  case f32(ActivationRows)
  case q8(EncodedRows)

  public var count: Int {
    switch self {
    case .f32(let rows): rows.count
    case .q8(let rows): rows.count
    }
  }

  public var columns: Int {
    switch self {
    case .f32(let rows): rows.columns
    case .q8(let rows): rows.columns
    }
  }

  public var encoding: ActivationEncoding {
    switch self {
    case .f32: .f32
    case .q8: .q8
    }
  }

  /// First byte of the first row, and bytes from row to row.
  public var bytes: (base: UnsafeMutableRawPointer, stride: Int) {
    switch self {
    case .f32(let rows): (UnsafeMutableRawPointer(rows.base), rows.stride * MemoryLayout<Float>.stride)
    case .q8(let rows): (rows.base, rows.stride)
    }
  }

  public subscript(rows range: Range<Int>) -> ProductInput {
    switch self {
    case .f32(let rows): .f32(rows[rows: range])
    case .q8(let rows): .q8(rows[rows: range])
    }
  }

  /// Makes row `row` a copy of row `source` of `other`.
  ///
  /// - Precondition: both have that row, and the same encoding and columns; looked at in debug builds alone.
  public func copy(_ row: Int, from other: ProductInput, _ source: Int) {
    assert(encoding == other.encoding && columns == other.columns, "\(encoding), \(columns) from \(other)")
    assert(row >= 0 && row < count && source >= 0 && source < other.count, "row \(row) from \(source)")
    let (to, from) = (bytes, other.bytes)
    (to.base + row * to.stride).copyMemory(
      from: from.base + source * from.stride, byteCount: encoding.rowBytes(columns: columns))
  }

  /// Rows in memory that someone else owns.
  public init(_ encoding: ActivationEncoding, at base: UnsafeMutableRawPointer, count: Int, columns: Int) {
    let stride = encoding.rowBytes(columns: columns)
    switch encoding {
    case .f32:
      self = .f32(
        ActivationRows(
          base: base.bindMemory(to: Float.self, capacity: count * stride / 4), count: count, columns: columns,
          stride: stride / 4))
    case .q8: self = .q8(EncodedRows(base: base, count: count, columns: columns, stride: stride))
    }
  }
}
