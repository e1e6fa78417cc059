/// The checks that all kinds of messages share.
struct WireCheck {
  private let message: Message
  private let kind: MessageKind
  private let shape: WireShape

  init(_ message: Message, _ kind: MessageKind, _ shape: WireShape) {
    self.message = message
    self.kind = kind
    self.shape = shape
  }

  func error(_ field: String, expected: String, found: String) -> WireError {
    WireError(source: message.source, kind: kind, field: field, expected: expected, found: found)
  }

  /// The header of a message about a layer's tokens.
  func header() throws(WireError) -> WireHeader {
    let header = try WireHeader(reading: message)
    guard header.kind == kind else { throw error("kind", expected: "\(kind)", found: "\(header.kind)") }
    try within(message.count, WireHeader.byteCount, shape.maxMessageBytes, "length")
    try equal(Int(header.epoch), Int(shape.epoch), "epoch")
    try within(header.layer, 0, shape.layers - 1, "layer")
    if kind != .activations && kind != .routing { try equal(header.hasLogits ? 1 : 0, 0, "flags") }
    if kind != .slice {
      let encoding = kind == .dispatch ? shape.encoding : .f32
      guard header.encoding == encoding else {
        throw error("encoding", expected: "\(encoding)", found: "\(header.encoding)")
      }
    }
    try within(header.tokens, 1, shape.maxTokensPerMessage, "tokens")
    return header
  }

  @inline(__always)
  func equal(_ found: Int, _ expected: Int, _ field: @autoclosure () -> String) throws(WireError) {
    if found != expected { throw error(field(), expected: "\(expected)", found: "\(found)") }
  }

  @inline(__always)
  func within(
    _ found: Int, _ low: Int, _ high: Int, _ field: @autoclosure () -> String
  ) throws(WireError) {
    if found < low || found > high { throw error(field(), expected: "\(low) to \(high)", found: "\(found)") }
  }

  func length(_ expected: Int) throws(WireError) {
    try equal(message.count, expected, "length")
  }

  /// The ids of a token's experts ascend and are below E.
  @inline(__always)
  func chosen(_ experts: UnsafeMutableBufferPointer<UInt16>, of row: Int) throws(WireError) {
    var low = 0
    for slot in row * shape.expertsPerToken..<(row + 1) * shape.expertsPerToken {
      try within(Int(experts[slot]), low, shape.experts - 1, "experts[\(slot)]")
      low = Int(experts[slot]) + 1
    }
  }
}
