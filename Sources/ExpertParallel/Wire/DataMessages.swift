import Kernels

// Each kind is one struct that lays its arrays out over a message: `init(writing:)` for the sender, who then
// fills them, and `init(reading:)` for the receiver, which has checked all of them when it returns.

/// Normed tokens of a layer on their way to the router.
package struct ActivationsMessage {
  package let header: WireHeader
  /// `[tokens, hidden]`
  package let rows: ActivationRows

  package static func byteCount(tokens: Int, shape: WireShape) -> Int { 64 + tokens * shape.hidden * 4 }

  package init(writing message: Message, header: WireHeader, shape: WireShape) {
    self.init(over: message, header: header, shape: shape)
    message.count = Self.byteCount(tokens: header.tokens, shape: shape)
    header.write(to: message)
  }

  package init(reading message: Message, shape: WireShape) throws(WireError) {
    let check = WireCheck(message, .activations, shape)
    let header = try check.header()
    try check.equal(header.rows, header.tokens, "rows")
    try check.length(Self.byteCount(tokens: header.tokens, shape: shape))
    self.init(over: message, header: header, shape: shape)
  }

  private init(over message: Message, header: WireHeader, shape: WireShape) {
    self.header = header
    rows = ActivationRows(at: message.base + 64, count: header.tokens, columns: shape.hidden)
  }
}

/// What the gate decided, on its way to the coordinator.
package struct RoutingMessage {
  package let header: WireHeader
  /// `[tokens, k]`
  package let weights: UnsafeMutableBufferPointer<Float>
  /// `[tokens, E]` or empty
  package let logits: UnsafeMutableBufferPointer<Float>
  /// `[tokens, k]`, ascending within a token
  package let experts: UnsafeMutableBufferPointer<UInt16>

  package static func byteCount(tokens: Int, hasLogits: Bool, shape: WireShape) -> Int {
    WireHeader.byteCount + tokens * (shape.expertsPerToken * 6 + (hasLogits ? shape.experts * 4 : 0))
  }

  package init(writing message: Message, header: WireHeader, shape: WireShape) {
    self.init(over: message, header: header, shape: shape)
    message.count = Self.byteCount(tokens: header.tokens, hasLogits: header.hasLogits, shape: shape)
    header.write(to: message)
  }

  package init(reading message: Message, shape: WireShape) throws(WireError) {
    let check = WireCheck(message, .routing, shape)
    let header = try check.header()
    try check.equal(header.rows, 0, "rows")
    try check.length(
      Self.byteCount(tokens: header.tokens, hasLogits: header.hasLogits, shape: shape))
    self.init(over: message, header: header, shape: shape)
    for token in 0..<header.tokens { try check.chosen(experts, of: token) }
  }

  private init(over message: Message, header: WireHeader, shape: WireShape) {
    self.header = header
    let chosen = header.tokens * shape.expertsPerToken
    var cursor = message.base + WireHeader.byteCount
    weights = take(chosen, from: &cursor)
    logits = take(header.hasLogits ? header.tokens * shape.experts : 0, from: &cursor)
    experts = take(chosen, from: &cursor)
  }
}

/// The token rows that a host is to run through some of its experts.
package struct DispatchMessage {
  package let header: WireHeader
  /// `[rows]`: token of each row, ascending, counted from the header's first
  package let tokens: UnsafeMutableBufferPointer<UInt32>
  /// `[rows]`: bit s asks for the token's s-th expert
  package let slots: UnsafeMutableBufferPointer<UInt32>
  /// `[rows, k]`, 0 where not asked
  package let weights: UnsafeMutableBufferPointer<Float>
  /// `[rows, k]`: all experts of the token, ascending
  package let experts: UnsafeMutableBufferPointer<UInt16>
  /// `[rows, hidden]`, in the shape's encoding
  package let rows: ProductInput
  package let expertsPerToken: Int

  package static func byteCount(rows: Int, shape: WireShape) -> Int {
    aligned(WireHeader.byteCount + rows * (8 + shape.expertsPerToken * 6))
      + rows * shape.encoding.rowBytes(columns: shape.hidden)
  }

  package init(writing message: Message, header: WireHeader, shape: WireShape) {
    var header = header
    header.encoding = shape.encoding
    self.init(over: message, header: header, shape: shape)
    message.count = Self.byteCount(rows: header.rows, shape: shape)
    header.write(to: message)
  }

  package init(reading message: Message, shape: WireShape) throws(WireError) {
    let check = WireCheck(message, .dispatch, shape)
    let header = try check.header()
    try check.within(header.rows, 1, header.tokens, "rows")
    try check.length(Self.byteCount(rows: header.rows, shape: shape))
    self.init(over: message, header: header, shape: shape)
    let k = shape.expertsPerToken
    for row in 0..<header.rows {
      let low = row == 0 ? 0 : Int(tokens[row - 1]) + 1
      try check.within(Int(tokens[row]), low, header.tokens - 1, "token of row \(row)")
      try check.within(Int(slots[row]), 1, Int(UInt32.max >> UInt32(32 - k)), "slots of row \(row)")
      try check.chosen(experts, of: row)
      for slot in 0..<k where slots[row] & 1 << UInt32(slot) == 0 {
        try check.equal(Int(weights[row * k + slot].bitPattern), 0, "weight of an expert not asked for")
      }
    }
  }

  private init(over message: Message, header: WireHeader, shape: WireShape) {
    self.header = header
    expertsPerToken = shape.expertsPerToken
    var cursor = message.base + WireHeader.byteCount
    tokens = take(header.rows, from: &cursor)
    slots = take(header.rows, from: &cursor)
    weights = take(header.rows * shape.expertsPerToken, from: &cursor)
    experts = take(header.rows * shape.expertsPerToken, from: &cursor)
    let offset = aligned(message.base.distance(to: cursor))
    rows = ProductInput(shape.encoding, at: message.base + offset, count: header.rows, columns: shape.hidden)
  }

  /// The experts of a row's token, `[k]`.
  func experts(of row: Int) -> UnsafeBufferPointer<UInt16> {
    UnsafeBufferPointer(rebasing: experts[row * expertsPerToken..<(row + 1) * expertsPerToken])
  }

  /// Calls `body` with row and position in `experts` of everything that is asked for.
  @inline(__always)
  func forEachSlot(_ body: (_ row: Int, _ position: Int) -> Void) {
    for row in 0..<header.rows {
      var left = slots[row]
      while left != 0 {
        body(row, row * expertsPerToken + left.trailingZeroBitCount)
        left &= left - 1
      }
    }
  }
}

/// Sums of weighted expert rows over maximal subtrees, on their way to the coordinator.
package struct PartialSumsMessage {
  package let header: WireHeader
  /// `[rows]`: token of each row, counted from the header's first
  package let tokens: UnsafeMutableBufferPointer<UInt32>
  /// `[rows, 2]`: first and end slot of the subtree; rows ascend by token, then slot
  package let slots: UnsafeMutableBufferPointer<UInt16>
  /// `[rows, hidden]`
  package let rows: ActivationRows

  package static func byteCount(rows: Int, shape: WireShape) -> Int {
    aligned(WireHeader.byteCount + rows * 8) + rows * shape.hidden * 4
  }

  package init(writing message: Message, header: WireHeader, shape: WireShape) {
    self.init(over: message, header: header, shape: shape)
    message.count = Self.byteCount(rows: header.rows, shape: shape)
    header.write(to: message)
  }

  package init(reading message: Message, shape: WireShape) throws(WireError) {
    let check = WireCheck(message, .partialSums, shape)
    let header = try check.header()
    try check.within(header.rows, 1, header.tokens * shape.expertsPerToken, "rows")
    try check.length(Self.byteCount(rows: header.rows, shape: shape))
    self.init(over: message, header: header, shape: shape)
    var (token, end) = (0, 0)
    for row in 0..<header.rows {
      try check.within(Int(tokens[row]), token, header.tokens - 1, "token of row \(row)")
      if tokens[row] != token { (token, end) = (Int(tokens[row]), 0) }
      let (first, last) = (Int(slots[row * 2]), Int(slots[row * 2 + 1]))
      try check.within(first, end, shape.expertsPerToken - 1, "first slot of row \(row)")
      try check.within(last, first + 1, shape.expertsPerToken, "end slot of row \(row)")
      end = last
    }
  }

  private init(over message: Message, header: WireHeader, shape: WireShape) {
    self.header = header
    var cursor = message.base + WireHeader.byteCount
    tokens = take(header.rows, from: &cursor)
    slots = take(header.rows * 2, from: &cursor)
    let offset = aligned(message.base.distance(to: cursor))
    rows = ActivationRows(at: message.base + offset, count: header.rows, columns: shape.hidden)
  }
}

/// Rows start on a cache line.
private func aligned(_ offset: Int) -> Int { (offset + 63) & ~63 }

private func take<Element: BitwiseCopyable>(
  _ count: Int, from cursor: inout UnsafeMutableRawPointer
) -> UnsafeMutableBufferPointer<Element> {
  defer { cursor += count * MemoryLayout<Element>.stride }
  return UnsafeMutableBufferPointer(
    start: cursor.bindMemory(to: Element.self, capacity: count), count: count)
}

extension ActivationRows {
  fileprivate init(at address: UnsafeMutableRawPointer, count: Int, columns: Int) {
    self.init(
      base: address.bindMemory(to: Float.self, capacity: count * columns), count: count, columns: columns)
  }
}
