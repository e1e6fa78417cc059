import Foundation
import StrictJSON

/// Reads a small JSON file of a known version strictly: no unknown, missing or mistyped field. Whether values make
/// sense is for the caller to check.
struct StrictFile<Value: Codable> {
  /// As messages name it.
  let file: String
  /// "a calibration"
  let what: String
  /// The field with the version, and the only one that is read.
  let version: (field: String, number: Int)
  /// What writes a right one.
  let hint: String
  /// A kind of file that people take for this one.
  var other: Other?
  /// The bytes of a value, as the file has them.
  let encode: (Value) throws -> Data

  struct Other {
    /// That it has in place of the version.
    let field: String
    let what: String
    let hint: String
  }

  private static var mostBytes: Int { 64 << 20 }

  func load(_ url: URL) throws(CalibrationError) -> Value {
    // Nil at the end of a file, which an empty one is at.
    guard let data = try? FileHandle(forReadingFrom: url).read(upToCount: Self.mostBytes + 1) ?? Data() else {
      var isFolder: ObjCBool = false
      let exists = FileManager.default.fileExists(atPath: url.path(percentEncoded: false), isDirectory: &isFolder)
      throw wrong("file", "\(what) file", exists && isFolder.boolValue ? "a folder" : "nothing that can be read")
    }
    guard !data.isEmpty else { throw wrong("file", "\(what) file", "an empty one") }
    return try read(data)
  }

  func read(_ data: Data) throws(CalibrationError) -> Value {
    let json: JSONValue
    do {
      json = try StrictJSON.parse(data, limits: JSONLimits(maxDepth: 8, maxBytes: Self.mostBytes))
    } catch {
      throw wrong("JSON", what, "an error at \(error)")
    }
    if let other, json[version.field] == nil, json[other.field] != nil {
      throw CalibrationError(file: file, field: version.field, expected: what, found: other.what, hint: other.hint)
    }
    guard let found = json[version.field]?.int else {
      throw wrong(version.field, "\(version.number)", json[version.field]?.kind ?? "nothing")
    }
    guard found == version.number else { throw wrong(version.field, "\(version.number)", "\(found)") }
    let value: Value
    do {
      value = try JSONDecoder().decode(Value.self, from: data)
    } catch let error as DecodingError {
      throw wrong(error)
    } catch {
      throw wrong("JSON", what, "\(error)")
    }
    try refuseUnknown(json, value)
    return value
  }

  /// A field that is not written back was not read either.
  private func refuseUnknown(_ json: JSONValue, _ value: Value) throws(CalibrationError) {
    guard let again = try? encode(value), let known = try? StrictJSON.parse(again),
      let path = Self.unknown(in: json, known, "")
    else { return }
    throw wrong(path, "no such field", "one")
  }

  private static func unknown(in value: JSONValue, _ known: JSONValue, _ path: String) -> String? {
    if let fields = value.object {
      for member in fields.members where !member.value.isNull {
        let inner = path.isEmpty ? member.key.text : path + "." + member.key.text
        guard let partner = known.object?[member.key] else { return inner }
        if let found = unknown(in: member.value, partner, inner) { return found }
      }
    }
    for (index, pair) in zip(value.array ?? [], known.array ?? []).enumerated() {
      if let found = unknown(in: pair.0, pair.1, "\(path)[\(index)]") { return found }
    }
    return nil
  }

  // MARK: Values

  func atLeastOne(_ value: Int, _ path: String) throws(CalibrationError) {
    if value < 1 { throw wrong(path, "at least 1", "\(value)") }
  }

  func positive(_ value: Double, _ path: String) throws(CalibrationError) {
    if !(value > 0 && value.isFinite) { throw wrong(path, "a number above 0", "\(value)") }
  }

  func within<Number: Comparable>(
    _ value: Number, _ range: ClosedRange<Number>, _ path: String
  ) throws(CalibrationError) {
    if !range.contains(value) { throw wrong(path, "\(range.lowerBound) to \(range.upperBound)", "\(value)") }
  }

  /// Speeds by number of threads.
  func verify(_ speeds: [Calibration.ThreadSpeed], _ path: String) throws(CalibrationError) {
    guard !speeds.isEmpty else { throw wrong(path, "at least one speed", "none") }
    for (index, speed) in speeds.enumerated() {
      try atLeastOne(speed.threads, "\(path)[\(index)].threads")
      try positive(speed.best, "\(path)[\(index)].best")
      try positive(speed.median, "\(path)[\(index)].median")
    }
  }

  // MARK: Errors

  private func wrong(_ error: DecodingError) -> CalibrationError {
    switch error {
    case .keyNotFound(let key, let context): wrong(path(context.codingPath + [key]), "a value", "nothing")
    case .valueNotFound(let type, let context): wrong(path(context.codingPath), Self.name(type), "null")
    case .typeMismatch(let type, let context): wrong(path(context.codingPath), Self.name(type), "something else")
    case .dataCorrupted(let context):
      wrong(path(context.codingPath), "values that fit", Self.reason(context))
    @unknown default: wrong("JSON", what, "\(error)")
    }
  }

  /// A number that is no integer where one must be comes without a path.
  private static func reason(_ context: DecodingError.Context) -> String {
    let inner = (context.underlyingError as NSError?)?.userInfo[NSDebugDescriptionErrorKey] as? String
    return inner ?? context.debugDescription
  }

  private static func name(_ type: Any.Type) -> String {
    switch type {
    case is Int.Type, is Double.Type: "a number"
    case is String.Type: "a string"
    case is [Any].Type: "an array"
    default: "an object"
    }
  }

  private func path(_ keys: [any CodingKey]) -> String {
    let text = keys.reduce("") { path, key in
      if let index = key.intValue { return "\(path)[\(index)]" }
      return path.isEmpty ? key.stringValue : path + "." + key.stringValue
    }
    return text.isEmpty ? "JSON" : text
  }

  func wrong(_ field: String, _ expected: String, _ found: String) -> CalibrationError {
    CalibrationError(file: file, field: field, expected: expected, found: found, hint: hint)
  }
}
