import Foundation
import Inference

/// What files of run records hold, lines of `--record` and `--json`.
public struct RecordLines: Sendable {
  public private(set) var records: [RunRecord] = []
  /// How many more lines are of a run that is in ``records``: copies of a file were read too.
  public private(set) var copies = 0
  private var ids: Set<String> = []
  /// The last word of each run that told how far it was and whose record is not here.
  public private(set) var unfinished: [RunProgress] = []
  /// Lines that are no records, and why.
  public private(set) var leftOut: [RecordReadingError] = []

  static let mostBytes = 256 << 20

  /// Reads files. Lines of `--json` that are of single sequences are passed over; so are those that cannot be read, which
  /// ``leftOut`` tells.
  ///
  /// - Throws: ``RecordReadingError`` for a file that cannot be read, or holds something else.
  public init(_ paths: [String]) throws(RecordReadingError) {
    var progress: [RunProgress] = []
    for path in paths { try read(path, &progress) }
    let ended = Set(records.compactMap(\.id))
    for (index, word) in progress.enumerated() where !ended.contains(word.id) {
      if !progress[(index + 1)...].contains(where: { $0.id == word.id }) { unfinished.append(word) }
    }
  }

  /// Why there is nothing to show; nil where there is something.
  public func shortage(in paths: [String]) -> RecordReadingError? {
    guard records.isEmpty, unfinished.isEmpty else { return nil }
    return leftOut.first
      ?? RecordReadingError(
        paths.joined(separator: ", "), nil, "records", expected: "a line for each run", found: "none")
  }

  /// A run counts once, however often it is told of; records without an ``RunRecord/id`` are runs of their own.
  private mutating func add(_ record: RunRecord) {
    if let id = record.id, !ids.insert(id).inserted {
      copies += 1
    } else {
      records.append(record)
    }
  }

  private mutating func read(_ path: String, _ progress: inout [RunProgress]) throws(RecordReadingError) {
    let data: Data
    do {
      data = try FileHandle(forReadingFrom: URL(filePath: path)).read(upToCount: Self.mostBytes + 1) ?? Data()
    } catch {
      throw RecordReadingError(path, nil, "file", expected: "a readable file", found: UnreadableFile.found(at: path))
    }
    guard data.count <= Self.mostBytes else {
      throw RecordReadingError(path, nil, "size", expected: "at most 256 MiB", found: "more")
    }
    let lines = data.split(separator: 10, omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated() where line.contains(where: { $0 != 32 && $0 != 13 }) {
      switch Result(catching: { () throws(RecordLine.Problem) in try RecordLine(line) }) {
      case .success(.record(let record)): add(record)
      case .success(.progress(let word)): progress.append(word)
      case .success(.sequence): break
      case .success(.routing):
        throw RecordReadingError(
          path, nil, "file", expected: "records of runs", found: "a routing record", hint: "give it with --routing")
      case .failure(let problem):
        leftOut.append(
          RecordReadingError(path, index + 1, problem.field, expected: problem.expected, found: problem.found))
      }
    }
  }
}

/// What is wrong with a file of run records, or with a line of it.
public struct RecordReadingError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The file.
  public let path: String
  /// From 1; nil where it is about the file as a whole.
  public let line: Int?
  private let problem: String
  private let hint: String

  init(
    _ path: String, _ line: Int?, _ field: String, expected: String, found: String,
    hint: String = "flotilla generate --record FILE writes one"
  ) {
    (self.path, self.line, self.hint) = (path, line, hint)
    problem = "\(field): expected \(expected), found \(found)"
  }

  public var description: String { "\(path): \(line.map { "line \($0): " } ?? "")\(problem). Hint: \(hint)" }

  /// "line 3 of run.jsonl left out: …", without folders.
  public var omission: String {
    "line \(line ?? 0) of \(URL(filePath: path).lastPathComponent) left out: \(problem)"
  }
}
