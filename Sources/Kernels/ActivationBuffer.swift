/// Owns memory for f32 rows, `[capacity, columns]`, 64-byte aligned and zeroed. Made at start-up and reused.
public final class ActivationBuffer: @unchecked Sendable {
  public let capacity: Int
  public let columns: Int
  private let base: UnsafeMutablePointer<Float>

  public init(capacity: Int, columns: Int) {
    precondition(capacity >= 0 && columns >= 0)
    self.capacity = capacity
    self.columns = columns
    let bytes = max(capacity * columns * MemoryLayout<Float>.stride, 64)
    let raw = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
    raw.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
    base = raw.assumingMemoryBound(to: Float.self)
  }

  deinit { UnsafeMutableRawPointer(base).deallocate() }

  /// The first `count` rows, `[count, columns]`; of fewer columns than the buffer was made for, if asked.
  public func rows(_ count: Int, columns: Int? = nil) -> ActivationRows {
    let columns = columns ?? self.columns
    precondition(count >= 0 && count <= capacity, "\(count) rows of a buffer of \(capacity)")
    precondition(columns <= self.columns, "\(columns) columns of a buffer of \(self.columns)")
    return ActivationRows(base: base, count: count, columns: columns)
  }
}
