import Foundation
import StrictJSON

extension RunRecord {
  private static let mostBytes = 256 << 20

  /// The records of a file, one JSON line each, as `--record` and `--json` write them; other lines of `--json`, which are
  /// of single sequences, are passed over, and so is a last line that is not whole.
  ///
  /// - Throws: ``RecordReadingError`` naming file, line and field.
  public static func read(_ path: String) throws(RecordReadingError) -> [RunRecord] {
    let data: Data
    do {
      data = try FileHandle(forReadingFrom: URL(filePath: path)).read(upToCount: mostBytes + 1) ?? Data()
    } catch {
      throw RecordReadingError(path, nil, "file", expected: "a readable file", found: error.localizedDescription)
    }
    guard data.count <= mostBytes else {
      throw RecordReadingError(path, nil, "size", expected: "at most 256 MiB", found: "more")
    }
    var records: [RunRecord] = []
    let lines = data.split(separator: 10, omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated() where line.contains(where: { $0 != 32 && $0 != 13 }) {
      let isLast = index == lines.count - 1
      if let record = try parse(line, path, index + 1, mayBeCut: isLast) { records.append(record) }
    }
    guard !records.isEmpty else {
      throw RecordReadingError(path, nil, "records", expected: "a line for each run", found: "none")
    }
    return records
  }

  /// - Returns: nil for lines that are no record of a run.
  private static func parse(
    _ line: Data, _ path: String, _ number: Int, mayBeCut: Bool
  ) throws(RecordReadingError) -> RunRecord? {
    let json: JSONValue
    do {
      json = try StrictJSON.parse(Array(line), limits: JSONLimits(maxDepth: 16, maxBytes: mostBytes))
    } catch {
      if mayBeCut { return nil }
      throw RecordReadingError(path, number, "JSON", expected: "a record", found: "an error at \(error)")
    }
    guard let object = json["run"] ?? (json["schema"] == nil ? nil : json) else {
      if json["prompt"] != nil, json["finish"] != nil { return nil }
      throw RecordReadingError(path, number, "schema", expected: "\(currentSchema)", found: "nothing")
    }
    guard object["schema"]?.int == currentSchema else {
      throw RecordReadingError(path, number, "schema", expected: "\(currentSchema)", found: "another")
    }
    do {
      let record = try JSONDecoder().decode(RunRecord.self, from: Data(CompactJSON.text(object).utf8))
      try record.verify(path, number)
      return record
    } catch let error as RecordReadingError {
      throw error
    } catch let error as DecodingError {
      throw RecordReadingError(path, number, field(of: error), expected: "a value of its kind", found: "something else")
    } catch {
      throw RecordReadingError(path, number, "JSON", expected: "a record", found: error.localizedDescription)
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

  /// What a page counts on: ranks in order, and no number that none can be.
  private func verify(_ path: String, _ number: Int) throws(RecordReadingError) {
    guard !ranks.isEmpty, ranks.indices.allSatisfy({ ranks[$0].rank == $0 }) else {
      throw RecordReadingError(path, number, "ranks", expected: "all ranks in order", found: "others")
    }
    var counts: [Int] = [model.parameters, tokens.prompt, tokens.generated, tokens.computed, steps]
    for rank in ranks {
      counts += [rank.expertRows, rank.bytesSent, rank.messagesSent, rank.residentBytes, rank.parametersApplied]
      counts += rank.bytesSentTo ?? []
      counts += rank.messagesSentTo ?? []
      counts += [rank.weightBytesRead ?? 0, rank.storageBytesRead ?? 0]
    }
    for piece in ranks.flatMap({ $0.timeline ?? [] }) where !(0...piece.end).contains(piece.start) || piece.end > 1e9 {
      throw RecordReadingError(path, number, "timeline", expected: "times from 0 on, the end last", found: "others")
    }
    counts += (surroundings?.interfaces ?? []).map(\.bytes)
    // Sums of all ranks must not overflow.
    guard counts.allSatisfy({ (0...1 << 56).contains($0) }), ranks.count <= 65_536 else {
      throw RecordReadingError(path, number, "counts", expected: "numbers from 0 to \(1 << 56)", found: "others")
    }
  }
}

/// What is wrong with a file of run records.
public struct RecordReadingError: Error, Sendable, Equatable, CustomStringConvertible {
  public let description: String

  init(_ path: String, _ line: Int?, _ field: String, expected: String, found: String) {
    let place = line.map { "line \($0): " } ?? ""
    description =
      "\(path): \(place)\(field): expected \(expected), found \(found). Hint: flotilla generate --record FILE writes one"
  }
}

extension RunRecord {
  /// The same without names of hosts, and with files' names only.
  ///
  /// - Parameter names: of hosts so far, to be used for further records.
  public func redacted(_ names: inout [String: String]) -> RunRecord {
    func alias(_ host: String) -> String {
      let name = names[host] ?? "host-\(names.count + 1)"
      names[host] = name
      return name
    }
    var record = self
    record.host = alias(host)
    for index in record.ranks.indices { record.ranks[index].host = alias(record.ranks[index].host) }
    record.command = command.map { word in
      guard let slash = word.lastIndex(of: "/") else { return names[word] ?? word }
      return "…/" + word[word.index(after: slash)...]
    }
    for (host, name) in names where host.count > 1 {
      record.setup.instructionSet = record.setup.instructionSet.replacing(host, with: name)
    }
    if var parameters = record.surroundings?.mpiParameters {
      for (key, value) in parameters where value.contains(where: { $0 == "." || $0 == "/" || $0 == ":" }) {
        parameters[key] = "…"
      }
      record.surroundings?.mpiParameters = parameters
    }
    return record
  }
}
