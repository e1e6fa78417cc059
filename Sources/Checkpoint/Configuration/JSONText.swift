import StrictJSON

/// Writes JSON values as text.
package enum JSONText {
  /// - Parameter indented: one member a line in the outer objects, as checkpoints have it.
  package static func bytes(_ value: JSONValue, indented: Bool = false) -> [UInt8] {
    var out: [UInt8] = []
    append(value, to: &out, depth: indented ? 0 : nil)
    if indented { out.append(10) }
    return out
  }

  private static func append(_ value: JSONValue, to out: inout [UInt8], depth: Int?) {
    switch value {
    case .null: out += "null".utf8
    case .bool(let flag): out += (flag ? "true" : "false").utf8
    case .number(let number): out += number.text.utf8
    case .string(let text): append(text, to: &out)
    case .array(let items):
      list(items, "[", "]", to: &out, depth: depth) { append($0, to: &$1, depth: $2) }
    case .object(let object):
      list(object.members, "{", "}", to: &out, depth: depth) { member, out, depth in
        append(member.key, to: &out)
        out += (depth == nil ? ":" : ": ").utf8
        append(member.value, to: &out, depth: depth)
      }
    }
  }

  private static func list<Item>(
    _ items: [Item], _ open: String, _ close: String, to out: inout [UInt8], depth: Int?,
    _ body: (Item, inout [UInt8], Int?) -> Void
  ) {
    func newLine(_ depth: Int) { out += ("\n" + String(repeating: "  ", count: depth)).utf8 }
    out += open.utf8
    for (index, item) in items.enumerated() {
      if index > 0 { out.append(44) }
      if let depth { newLine(depth + 1) }
      body(item, &out, depth.map { $0 + 1 })
    }
    if let depth, !items.isEmpty { newLine(depth) }
    out += close.utf8
  }

  private static func append(_ text: JSONString, to out: inout [UInt8]) {
    out.append(34)
    for byte in text.utf8 {
      switch byte {
      case 34, 92: out += [92, byte]
      case 10: out += [92, 110]
      case 0..<32:
        let digits = String(byte, radix: 16)
        out += ("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).utf8
      default: out.append(byte)
      }
    }
    out.append(34)
  }
}

extension JSONValue {
  /// An object of members with distinct keys, in order.
  package static func members(_ members: KeyValuePairs<String, JSONValue>) -> JSONValue {
    guard let object = JSONObject(members.map { (JSONString($0.key), $0.value) }) else {
      preconditionFailure("a key was written twice")
    }
    return .object(object)
  }

  package static func int(_ value: Int) -> JSONValue { .number(JSONNumber(value)) }
  package static func text(_ value: String) -> JSONValue { .string(JSONString(value)) }

  package static func double(_ value: Double) -> JSONValue {
    guard let number = JSONNumber(value) else { preconditionFailure("JSON has no words for \(value)") }
    return .number(number)
  }
}
