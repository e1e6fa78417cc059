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
  struct Problem: Error {
    let field: String
    let expected: String
    let found: String

    init(_ field: String, expected: String, found: String) {
      (self.field, self.expected, self.found) = (field, expected, found)
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

extension RunRecord {
  /// What a page counts on: ranks in order, and no number that none can be.
  fileprivate func verify() throws(RecordLine.Problem) {
    guard !ranks.isEmpty, ranks.indices.allSatisfy({ ranks[$0].rank == $0 }) else {
      throw RecordLine.Problem("ranks", expected: "all ranks in order", found: "others")
    }
    var counts: [Int] = [model.parameters, model.weightBytes ?? 0, steps]
    counts += [tokens.prompt, tokens.generated, tokens.computed, tokens.inDecodeSteps, sampling?.maxTokens ?? 0]
    for rank in ranks {
      counts += [rank.expertRows, rank.bytesSent, rank.messagesSent, rank.residentBytes, rank.parametersApplied]
      counts += rank.bytesSentTo ?? []
      counts += rank.messagesSentTo ?? []
      counts += [rank.weightBytesRead ?? 0, rank.weightBytesReadInDecode ?? 0, rank.storageBytesRead ?? 0]
    }
    for piece in ranks.flatMap({ $0.timeline ?? [] }) where !(0...piece.end).contains(piece.start) || piece.end > 1e9 {
      throw RecordLine.Problem("timeline", expected: "times from 0 on, the end last", found: "others")
    }
    counts += (surroundings?.interfaces ?? []).map(\.bytes)
    // Sums of all ranks must not overflow.
    guard counts.allSatisfy({ (0...1 << 56).contains($0) }), ranks.count <= 65_536 else {
      throw RecordLine.Problem("counts", expected: "numbers from 0 to \(1 << 56)", found: "others")
    }
  }
}

extension RunProgress {
  fileprivate func verify() throws(RecordLine.Problem) {
    guard [promptTokens, promptTotal, generatedTokens].allSatisfy({ (0...1 << 56).contains($0) }) else {
      throw RecordLine.Problem("progress", expected: "numbers from 0 to \(1 << 56)", found: "others")
    }
  }
}
