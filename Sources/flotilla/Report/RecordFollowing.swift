import Foundation
import Reporting

/// Files of records that runs append to.
struct RecordFollowing {
  private let paths: [String]
  private var states: [State] = []
  private var records = 0
  /// Lines left out that a person has been told of.
  private var told: Set<String> = []

  init(_ paths: [String]) { self.paths = paths }

  /// - Returns: all lines, and whether nothing but how far runs are is new; nil where nothing is. A file that is not there
  ///   yet is no error, nor is a line that cannot be read.
  mutating func next() throws -> (lines: RecordLines, isProgressOnly: Bool)? {
    let found = paths.map { State($0) }
    guard found != states, found.contains(where: { $0.size > 0 }) else { return nil }
    let isFirst = states.isEmpty
    states = found
    let lines = try RecordLines(paths.filter { FileManager.default.fileExists(atPath: $0) })
    let news = lines.leftOut.map(\.omission).filter { !told.contains($0) }
    for omission in news { note(omission) }
    told.formUnion(news)
    defer { records = lines.records.count }
    guard lines.shortage(in: paths) == nil else { return nil }
    return (lines, !isFirst && lines.records.count == records && news.isEmpty)
  }
}

/// By which a change of a file shows; how far a run is takes as many bytes as before.
private struct State: Equatable {
  private(set) var size = 0
  private var seconds = 0
  private var nanoseconds = 0

  init(_ path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else { return }
    (size, seconds, nanoseconds) = (Int(status.st_size), status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
  }
}
