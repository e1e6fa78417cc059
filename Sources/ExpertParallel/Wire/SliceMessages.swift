import DeepSeek
import Kernels

/// Tokens' input of a divided product, on its way to a rank that holds some of the output rows.
package struct SliceMessage {
  package let header: WireHeader
  package let part: SlicedPart
  /// `[tokens, columns]`
  package let input: ProductInput

  package static func byteCount(tokens: Int, columns: Int, encoding: ActivationEncoding) -> Int {
    rowsOffset + tokens * encoding.rowBytes(columns: columns)
  }

  /// Writes all of it.
  package init(writing message: Message, header: WireHeader, _ product: SlicedProduct) {
    var header = header
    header.encoding = product.input.encoding
    let columns = product.input.columns
    self.init(header, product.part, over: message, columns: columns)
    message.count = Self.byteCount(tokens: header.tokens, columns: columns, encoding: header.encoding)
    header.write(to: message)
    write(product.part, to: message)
    for row in 0..<header.tokens { input.copy(row, from: product.input, row) }
  }

  /// - Parameter shape: of a product on the rank that reads; nil where it has no rows of it.
  package init(
    reading message: Message, shape: WireShape, of slice: (SlicedPart, _ layer: Int) -> SliceShape?
  ) throws(WireError) {
    let check = WireCheck(message, .slice, shape)
    let (header, part) = try readFields(check, message)
    guard let slice = slice(part, header.layer) else {
      throw check.error(
        "part", expected: "one that this rank has rows of", found: "\(part) of layer \(header.layer)")
    }
    guard header.encoding == slice.encoding else {
      throw check.error("encoding", expected: "\(slice.encoding)", found: "\(header.encoding)")
    }
    try check.length(Self.byteCount(tokens: header.tokens, columns: slice.columns, encoding: slice.encoding))
    self.init(header, part, over: message, columns: slice.columns)
  }

  private init(_ header: WireHeader, _ part: SlicedPart, over message: Message, columns: Int) {
    (self.header, self.part) = (header, part)
    input = ProductInput(header.encoding, at: message.base + rowsOffset, count: header.tokens, columns: columns)
  }
}

/// A rank's rows of a divided product, on their way to the coordinator.
package struct SliceRowsMessage {
  package let header: WireHeader
  package let part: SlicedPart
  /// `[tokens, rows of the rank]`
  package let rows: ActivationRows

  package static func byteCount(tokens: Int, rows: Int) -> Int { rowsOffset + tokens * rows * 4 }

  package init(writing message: Message, header: WireHeader, part: SlicedPart, rows: Int) {
    self.init(header, part, over: message, rows: rows)
    message.count = Self.byteCount(tokens: header.tokens, rows: rows)
    header.write(to: message)
    write(part, to: message)
  }

  /// - Parameter rows: how many rows the sender has of the product that is waited for.
  package init(reading message: Message, shape: WireShape, rows: Int) throws(WireError) {
    let check = WireCheck(message, .sliceRows, shape)
    let (header, part) = try readFields(check, message)
    try check.length(Self.byteCount(tokens: header.tokens, rows: rows))
    self.init(header, part, over: message, rows: rows)
  }

  private init(_ header: WireHeader, _ part: SlicedPart, over message: Message, rows: Int) {
    (self.header, self.part) = (header, part)
    let base = (message.base + rowsOffset).bindMemory(to: Float.self, capacity: header.tokens * rows)
    self.rows = ActivationRows(base: base, count: header.tokens, columns: rows)
  }
}

/// Rows start on a cache line.
private let rowsOffset = 64

private func write(_ part: SlicedPart, to message: Message) {
  message.base.storeBytes(of: UInt32(part.rawValue), toByteOffset: WireHeader.byteCount, as: UInt32.self)
}

/// What both kinds begin with.
private func readFields(_ check: WireCheck, _ message: Message) throws(WireError) -> (WireHeader, SlicedPart) {
  let header = try check.header()
  try check.equal(header.firstToken, 0, "first token")
  try check.within(header.tokens, 1, SliceShare.mostTokens, "tokens")
  try check.equal(header.rows, header.tokens, "rows")
  try check.within(message.count, rowsOffset, Int.max, "length")
  let number = message.bytes.load(fromByteOffset: WireHeader.byteCount, as: UInt32.self)
  guard let part = UInt8(exactly: number).flatMap(SlicedPart.init) else {
    throw check.error("part", expected: "0 to \(SlicedPart.allCases.count - 1)", found: "\(number)")
  }
  return (header, part)
}
