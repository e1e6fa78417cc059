/// Owns memory for rows in either encoding, `[capacity, columns]`, 64-byte aligned.
public final class RowStore: @unchecked Sendable {
  public let encoding: ActivationEncoding
  public let capacity: Int
  public let columns: Int
  private let base: UnsafeMutableRawPointer

  public init(_ encoding: ActivationEncoding, capacity: Int, columns: Int) {
    self.encoding = encoding
    self.capacity = capacity
    self.columns = columns
    base = .allocate(byteCount: max(64, capacity * encoding.rowBytes(columns: columns)), alignment: 64)
  }

  deinit { base.deallocate() }

  /// The first `count` rows, with whatever was last written there.
  public func rows(_ count: Int) -> ProductInput {
    precondition(count >= 0 && count <= capacity, "\(count) rows of a store of \(capacity)")
    return ProductInput(encoding, at: base, count: count, columns: columns)
  }
}
