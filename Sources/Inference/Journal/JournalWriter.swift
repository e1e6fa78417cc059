/// Keeps a journal while a generation goes on.
public final class JournalWriter {
  public let path: String
  private let sink: any JournalSink
  private var checksum: Checksum
  private var hasBegun: Bool

  /// Makes a new file; an existing one is left alone, unless it is empty. Without ``begin(_:_:)`` it goes again.
  ///
  /// - Parameter interval: within which tokens reach the disk.
  /// - Throws: ``JournalError``.
  public convenience init(creating path: String, interval: Duration) throws {
    self.init(path: path, beginning: try JournalFile(creating: path, interval: interval))
  }

  /// - Parameters:
  ///   - path: for errors and notes.
  ///   - sink: with nothing in it.
  public convenience init(path: String, beginning sink: any JournalSink) {
    self.init(path: path, sink: sink, checksum: Checksum(), hasBegun: false)
  }

  /// Goes on with a file, behind its last whole line.
  ///
  /// - Returns: the writer, and what the journal says so far.
  /// - Throws: ``JournalError``.
  public static func resuming(_ path: String, interval: Duration) throws -> (JournalWriter, Journal) {
    let file = try JournalFile(existing: path, interval: interval)
    let (journal, checksum) = try file.mendedAndSummed()
    return (JournalWriter(path: path, sink: file, checksum: checksum, hasBegun: true), journal)
  }

  /// Goes on with a journal that somebody else holds.
  ///
  /// - Parameters:
  ///   - bytes: all of it, whole lines.
  ///   - sink: takes what follows.
  /// - Throws: ``JournalError``.
  public static func resuming(
    _ path: String, bytes: [UInt8], sink: any JournalSink
  ) throws -> (JournalWriter, Journal) {
    var reader = JournalReader(path: path, bytes: bytes)
    let journal = try reader.read()
    guard journal.tornBytes == 0 else {
      throw JournalError(
        path: path, subject: "journal", expected: "whole lines",
        found: "\(journal.tornBytes) bytes behind the last one",
        hint: "Start it again.", isFailure: true)
    }
    return (JournalWriter(path: path, sink: sink, checksum: reader.checksum, hasBegun: true), journal)
  }

  private init(path: String, sink: any JournalSink, checksum: Checksum, hasBegun: Bool) {
    (self.path, self.sink, self.checksum, self.hasBegun) = (path, sink, checksum, hasBegun)
  }

  /// Writes down what is to be generated. On return it is on the disk, where the journal is a file of this machine.
  ///
  /// - Parameter requests: by number, without continuations.
  public func begin(_ header: JournalHeader, _ requests: [GenerationRequest]) throws {
    precondition(!hasBegun && header.sequences == requests.count && !requests.isEmpty)
    var lines = JournalLine.sealed(header.json, &checksum)
    for (number, request) in requests.enumerated() {
      precondition(request.continuation.isEmpty)
      lines += JournalLine.sealed(request.json(number: number), &checksum)
    }
    hasBegun = true
    try sink.begin(lines)
  }

  /// Writes down what a step has given: all of it or, where this process dies meanwhile, nothing.
  public func append(_ events: [GenerationEvent]) throws(JournalError) {
    let kept = events.compactMap(\.json)
    guard !kept.isEmpty else { return }
    try sink.append(JournalLine.sealed(.members(["step": .array(kept)]), &checksum))
  }

  /// Returns when all that was appended is on the disk, where the journal is a file of this machine.
  public func flush() throws(JournalError) { try sink.flush() }
}
