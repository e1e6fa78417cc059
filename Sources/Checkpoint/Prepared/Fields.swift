import StrictJSON

/// An object of a manifest, read field by field.
struct Fields {
  private let object: JSONObject
  /// What messages call the object.
  private let place: String

  init(_ value: JSONValue, _ place: String) throws {
    guard let object = value.object else {
      throw Self.damaged(place, "an object", ConfigurationFields.describe(value))
    }
    (self.object, self.place) = (object, place)
  }

  private init(_ object: JSONObject, _ place: String) { (self.object, self.place) = (object, place) }

  /// The same fields under a name that says more.
  func named(_ place: String) -> Fields { Fields(object, place) }

  static func damaged(_ subject: String, _ expected: String, _ found: String) -> CheckpointError {
    CheckpointError(
      file: PreparedManifest.fileName, subject: subject, expected: expected, found: CheckpointError.short(found),
      hint: "The manifest is damaged: copy it again, or prepare the model again.")
  }

  func wrong(_ field: String, _ expected: String, _ found: String) -> CheckpointError {
    Self.damaged("\(place): \(field)", expected, found)
  }

  func refuseOthers(_ known: [String]) throws {
    for member in object.members where !known.contains(member.key.text) {
      throw wrong(CheckpointError.short(member.key.text), "no such field", "one")
    }
  }

  private func value<Value>(_ field: String, _ expected: String, _ read: (JSONValue) -> Value?) throws -> Value {
    guard let member = object[field] else { throw wrong(field, expected, "nothing") }
    guard let value = read(member) else { throw wrong(field, expected, ConfigurationFields.describe(member)) }
    return value
  }

  func integer(_ field: String, _ range: ClosedRange<Int>) throws -> Int {
    let expected = "an integer from \(range.lowerBound) to \(range.upperBound)"
    return try value(field, expected) { $0.int.flatMap { range.contains($0) ? $0 : nil } }
  }

  func integers(_ field: String, _ range: ClosedRange<Int>, most: Int) throws -> [Int] {
    try value(field, "1 to \(most) integers from \(range.lowerBound) to \(range.upperBound)") { value in
      let numbers = value.array?.map(\.int) ?? []
      let valid = numbers.compactMap { $0 }.filter(range.contains)
      return (1...most).contains(numbers.count) && valid.count == numbers.count ? valid : nil
    }
  }

  func flag(_ field: String) throws -> Bool { try value(field, "true or false") { $0.bool } }

  func text(_ field: String, most: Int) throws -> String {
    try value(field, "text of 1 to \(most) bytes") { value in
      value.jsonString.flatMap { (1...most).contains($0.utf8.count) ? $0.text : nil }
    }
  }

  func digest(_ field: String) throws -> Digest {
    try value(field, "64 hexadecimal digits") { $0.string.flatMap { Digest(hexadecimal: $0) } }
  }

  func digests(_ field: String) throws -> [Digest] {
    try value(field, "a list of hashes of 64 hexadecimal digits") { value in
      let digests = value.array?.map { $0.string.flatMap { Digest(hexadecimal: $0) } }
      return digests?.contains { $0 == nil } == true ? nil : digests?.compactMap { $0 }
    }
  }

  func fields(_ field: String) throws -> Fields {
    try value(field, "an object") { $0.object.map { Fields($0, field) } }
  }

  func list(_ field: String, most: Int) throws -> [Fields] {
    let items = try value(field, "a list of at most \(most) objects") { value in
      value.array.flatMap { $0.count <= most ? $0 : nil }
    }
    return try items.enumerated().map { try Fields($0.element, "\(place): \(field)[\($0.offset)]") }
  }
}
