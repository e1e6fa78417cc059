import Kernels

extension ProductInput {
  /// Makes row `row` a copy of row `source` of `other`, which has the same encoding and columns.
  public func copy(_ row: Int, from other: ProductInput, _ source: Int) {
    let (to, from) = (bytes, other.bytes)
    (to.base + row * to.stride).copyMemory(
      from: from.base + source * from.stride, byteCount: encoding.rowBytes(columns: columns))
  }
}
