import Foundation
import StrictJSON

/// A line of a file of run records.
enum RecordLine {
  case record(RunRecord)
  case progress(RunProgress)
  /// What `--json` says of a single sequence.
  case sequence
  /// The header of a routing record, which is another file.
  case routing

  /// Why a line is none of these.
  struct Problem: Error, Equatable {
    let field: String
    let expected: String
    let found: String

    init(_ field: String, expected: String, found: String) {
      (self.field, self.expected, self.found) = (printable(field, limit: 200), expected, printable(found, limit: 200))
    }
  }

  init(_ line: Data) throws(Problem) {
    let json: JSONValue
    do {
      json = try StrictJSON.parse(Array(line), limits: JSONLimits(maxDepth: 16, maxBytes: RecordLines.mostBytes))
    } catch {
      throw Problem("JSON", expected: "a record", found: "at byte \(error.offset + 1): \(error.reason)")
    }
    if let object = json["run"] ?? (json["schema"] == nil ? nil : json) {
      let record: RunRecord = try Self.decoded(object, RunRecord.currentSchema)
      try record.verify()
      self = .record(record)
    } else if let object = json["progress"] {
      let progress: RunProgress = try Self.decoded(object, RunProgress.currentSchema)
      try progress.verify()
      self = .progress(progress)
    } else if json["flotilla_routing"] != nil {
      self = .routing
    } else if json["prompt"] != nil, json["finish"] != nil {
      self = .sequence
    } else {
      throw Problem("schema", expected: "\(RunRecord.currentSchema)", found: "nothing")
    }
  }

  private static func decoded<Value: Decodable>(_ object: JSONValue, _ schema: Int) throws(Problem) -> Value {
    guard object["schema"]?.int == schema else { throw Problem("schema", expected: "\(schema)", found: "another") }
    do {
      return try JSONDecoder().decode(Value.self, from: Data(CompactJSON.text(object).utf8))
    } catch let error as DecodingError {
      throw Problem(field(of: error), expected: "a value of its kind", found: "something else")
    } catch {
      throw Problem("JSON", expected: "a record", found: "\(error)")
    }
  }

  private static func field(of error: DecodingError) -> String {
    let (path, key): ([any CodingKey], (any CodingKey)?) =
      switch error {
      case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
        (context.codingPath, nil)
      case .keyNotFound(let key, let context): (context.codingPath, key)
      @unknown default: ([], nil)
      }
    let names = (path + (key.map { [$0] } ?? [])).map { $0.intValue.map(String.init) ?? $0.stringValue }
    return names.isEmpty ? "JSON" : names.joined(separator: ".")
  }
}
