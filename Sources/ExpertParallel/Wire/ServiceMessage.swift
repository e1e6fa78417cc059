import Foundation

/// Messages without rows: a header, and text or JSON behind it.
package enum ServiceMessage {
  /// The largest payload, in bytes.
  package static let mostBytes = 1 << 16

  static func send(
    _ kind: MessageKind, payload: Data = Data(), epoch: UInt32, to rank: Int, over exchange: any Exchange
  ) throws {
    precondition(payload.count <= mostBytes)
    let message = exchange.message(capacity: WireHeader.byteCount + payload.count)
    message.count = WireHeader.byteCount + payload.count
    WireHeader(kind, epoch: epoch).write(to: message)
    payload.withUnsafeBytes {
      UnsafeMutableRawBufferPointer(rebasing: message.mutableBytes[WireHeader.byteCount...]).copyMemory(from: $0)
    }
    try exchange.send(message, to: rank)
  }

  /// The payload of a service message.
  package static func payload(of message: Message, _ kind: MessageKind) throws(WireError) -> Data {
    let header = try WireHeader(reading: message)
    func refuse(_ field: String, _ expected: String, _ found: String) -> WireError {
      WireError(source: message.source, kind: kind, field: field, expected: expected, found: found)
    }
    guard header.kind == kind else { throw refuse("kind", "\(kind)", "\(header.kind)") }
    let count = message.count - WireHeader.byteCount
    let most = [.hello, .statistics, .fault, .announcement].contains(kind) ? mostBytes : 0
    guard count <= most else { throw refuse("length", "a payload of at most \(most) bytes", "\(count)") }
    return Data(message.bytes[WireHeader.byteCount...])
  }

  package static func decode<Value: Decodable>(
    _ type: Value.Type, from message: Message, _ kind: MessageKind
  ) throws(WireError) -> Value {
    let payload = try payload(of: message, kind)
    do {
      return try JSONDecoder().decode(type, from: payload)
    } catch {
      throw WireError(
        source: message.source, kind: kind, field: "payload", expected: "JSON of \(type)",
        found: "\(payload.count) bytes that are not")
    }
  }

  static func encode<Value: Encodable>(_ value: Value) throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    return try encoder.encode(value)
  }

  /// Text cut to what a message takes, at a character's border.
  static func text(_ text: String) -> Data {
    var data = Data(text.utf8.prefix(mostBytes))
    while !data.isEmpty, String(data: data, encoding: .utf8) == nil { data.removeLast() }
    return data
  }
}
