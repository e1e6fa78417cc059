import Kernels

/// Conversion of f32 rows to the element types of an export.
enum RowEncoding {
  /// - Parameter out: `rows` times the bytes of a row.
  static func encode(
    _ values: UnsafePointer<Float>, rows: Int, columns: Int, as type: GGMLType, into out: UnsafeMutableRawPointer
  ) {
    let count = rows * columns
    switch type {
    case .f32: out.copyMemory(from: values, byteCount: count * 4)
    case .bf16: halves(values, count, out, ElementConversion.bf16)
    case .f16: halves(values, count, out, ElementConversion.f16)
    default:
      guard let block = ElementType(type)?.block else { preconditionFailure("nothing is exported as \(type.name)") }
      let rowBytes = block.bytes(columns: columns)
      for row in 0..<rows {
        KernelTable.best.quantize(
          block, row: UnsafeBufferPointer(start: values + row * columns, count: columns),
          into: UnsafeMutableRawBufferPointer(start: out + row * rowBytes, count: rowBytes))
      }
    }
  }

  @inline(__always)
  private static func halves(
    _ values: UnsafePointer<Float>, _ count: Int, _ out: UnsafeMutableRawPointer, _ convert: (Float) -> UInt16
  ) {
    let target = out.assumingMemoryBound(to: UInt16.self)
    for index in 0..<count { target[index] = convert(values[index]).littleEndian }
  }
}
