import StrictJSON

/// An object of a journal, read field by field.
struct JournalFields {
  /// Where the object stands, for messages.
  struct Place {
    let path: String
    let line: Int
  }

  private let object: JSONObject
  let place: Place
  /// What messages call the object; empty for the line itself.
  private let name: String

  init(_ value: JSONValue, _ place: Place, name: String = "") throws(JournalError) {
    guard let object = value.object else {
      throw JournalError(
        path: place.path, line: place.line, subject: name.isEmpty ? "line" : name, expected: "an object",
        found: value.kind, hint: Self.hint)
    }
    (self.object, self.place, self.name) = (object, place, name)
  }

  private static let hint = "Another version of flotilla wrote it, or it was edited by hand."

  func has(_ field: String) -> Bool { object[field] != nil }

  func wrong(_ field: String, _ expected: String, _ found: String) -> JournalError {
    let shown = found.utf8.count <= 100 ? found : String(found.prefix(100)) + "…"
    return JournalError(
      path: place.path, line: place.line, subject: name.isEmpty ? field : "\(name): \(field)", expected: expected,
      found: shown, hint: Self.hint)
  }

  /// - Throws: where there is a field of another name: what it means may bear on the tokens.
  func refuseOthers(_ known: [String]) throws(JournalError) {
    for member in object.members where !known.contains(member.key.text) {
      throw wrong(String(member.key.text.prefix(100)), "no such field", member.value.kind)
    }
  }

  func value<Value>(_ field: String, _ expected: String, _ read: (JSONValue) -> Value?) throws(JournalError) -> Value {
    guard let member = object[field] else { throw wrong(field, expected, "nothing") }
    guard let value = read(member) else {
      throw wrong(field, expected, member.number?.text ?? member.string.map { "\"\($0)\"" } ?? member.kind)
    }
    return value
  }

  func integer(_ field: String, _ range: ClosedRange<Int>) throws(JournalError) -> Int {
    try value(field, "an integer from \(range.lowerBound) to \(range.upperBound)") { $0.int.flatMap(within(range)) }
  }

  /// Nil where the field is null.
  func integerOrNull(_ field: String, _ range: ClosedRange<Int>) throws(JournalError) -> Int? {
    try value(field, "null or an integer from \(range.lowerBound) to \(range.upperBound)") { value -> Int?? in
      value.isNull ? .some(nil) : value.int.flatMap(within(range)).map(Optional.some)
    }
  }

  func integers(_ field: String, _ range: ClosedRange<Int>) throws(JournalError) -> [Int] {
    try value(field, "a list of integers from \(range.lowerBound) to \(range.upperBound)") { value in
      all(value.array) { $0.int.flatMap(within(range)) }
    }
  }

  func number(_ field: String) throws(JournalError) -> Double {
    try value(field, "a number") { $0.double.flatMap { $0.isFinite ? $0 : nil } }
  }

  func flag(_ field: String) throws(JournalError) -> Bool { try value(field, "true or false") { $0.bool } }
  func text(_ field: String) throws(JournalError) -> String { try value(field, "text") { $0.string } }

  func texts(_ field: String) throws(JournalError) -> [String] {
    try value(field, "a list of texts") { value in all(value.array) { $0.string } }
  }

  func fields(_ field: String) throws(JournalError) -> JournalFields {
    try JournalFields(try value(field, "an object") { $0 }, place, name: field)
  }

  func list(_ field: String) throws(JournalError) -> [JournalFields] {
    let items = try value(field, "a list") { $0.array }
    var list: [JournalFields] = []
    for (index, item) in items.enumerated() {
      list.append(try JournalFields(item, place, name: "\(field)[\(index)]"))
    }
    return list
  }
}

private func within(_ range: ClosedRange<Int>) -> (Int) -> Int? { { range.contains($0) ? $0 : nil } }

/// All of the values, or nil where one is not as it should be.
func all<Value>(_ values: [JSONValue]?, _ read: (JSONValue) -> Value?) -> [Value]? {
  guard let values else { return nil }
  let found = values.compactMap(read)
  return found.count == values.count ? found : nil
}
