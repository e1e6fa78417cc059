/// JSON for people: what holds nothing but plain values stands on one line.
public enum CompactJSON {
  /// Ends with a line feed.
  public static func text(_ value: JSONValue) -> String { text(value, indent: "") + "\n" }

  private static func text(_ value: JSONValue, indent: String) -> String {
    let inner = indent + "  "
    switch value {
    case .null: return "null"
    case .bool(let flag): return flag ? "true" : "false"
    case .number(let number): return number.text
    case .string(let string): return quoted(string)
    case .array(let items):
      let texts = items.map { text($0, indent: inner) }
      guard !items.allSatisfy(isPlain) else { return "[" + texts.joined(separator: ", ") + "]" }
      return "[\n" + texts.map { inner + $0 }.joined(separator: ",\n") + "\n\(indent)]"
    case .object(let object):
      let texts = object.members.map { quoted($0.key) + ": " + text($0.value, indent: inner) }
      // The outermost object is a page of its own.
      guard indent.isEmpty || !object.members.allSatisfy({ isPlain($0.value) }) || texts.count > 4 else {
        return "{" + texts.joined(separator: ", ") + "}"
      }
      guard !texts.isEmpty else { return "{}" }
      return "{\n" + texts.map { inner + $0 }.joined(separator: ",\n") + "\n\(indent)}"
    }
  }

  private static func isPlain(_ value: JSONValue) -> Bool {
    switch value {
    case .array, .object: false
    default: true
    }
  }

  private static func quoted(_ string: JSONString) -> String {
    var text = "\""
    for scalar in string.text.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\u{0}"..<" ", "\u{7F}":
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text + "\""
  }
}
