import Checkpoint
import Foundation

/// Keeps a journal while a generation goes on. One process at a time writes to a file.
public final class JournalWriter {
  public let path: String
  private let file: DurableFile
  private var checksum: Checksum
  private var hasBegun: Bool

  /// Makes a new file; an existing one is left alone, unless it is empty. Without ``begin(_:_:)`` it goes again.
  ///
  /// - Parameter interval: within which tokens reach the disk.
  /// - Throws: ``JournalError``.
  public init(creating path: String, interval: Duration) throws {
    self.path = path
    let descriptor = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw JournalError.system(path, "create", errno) }
    file = DurableFile(descriptor: descriptor, path: path, interval: interval)
    (checksum, hasBegun) = (Checksum(), true)
    try Self.lock(descriptor, path)
    guard try Journal.contents(descriptor, path).isEmpty else {
      throw JournalError(
        path: path, subject: "journal", expected: "no such file yet", found: "one that is not empty",
        hint: "Go on with it: --resume \(path). Or remove it, or name another.")
    }
    hasBegun = false
  }

  /// Goes on with a file, behind its last whole line.
  ///
  /// - Returns: the writer, and what the journal says so far.
  /// - Throws: ``JournalError``.
  public static func resuming(_ path: String, interval: Duration) throws -> (JournalWriter, Journal) {
    let descriptor = open(path, O_RDWR | O_APPEND | O_CLOEXEC)
    guard descriptor >= 0 else { throw JournalError.system(path, "open for writing", errno) }
    let file = DurableFile(descriptor: descriptor, path: path, interval: interval)
    try lock(descriptor, path)
    let bytes = try Journal.contents(descriptor, path)
    var reader = JournalReader(path: path, bytes: bytes)
    let journal = try reader.read()
    if journal.tornBytes > 0, ftruncate(descriptor, off_t(bytes.count - journal.tornBytes)) != 0 {
      throw JournalError.system(path, "cut its torn line off", errno)
    }
    return (JournalWriter(path: path, file: file, checksum: reader.checksum), journal)
  }

  private init(path: String, file: DurableFile, checksum: Checksum) {
    (self.path, self.file, self.checksum, hasBegun) = (path, file, checksum, true)
  }

  deinit { if !hasBegun { unlink(path) } }

  /// Until the descriptor is closed. File systems without locks go without.
  private static func lock(_ descriptor: Int32, _ path: String) throws(JournalError) {
    guard flock(descriptor, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK else { return }
    throw JournalError(
      path: path, subject: "journal", expected: "a file that nobody writes to", found: "another flotilla at work on it",
      hint: "Wait for its end, or end it.")
  }

  /// Writes down what is to be generated. On return it is on the disk.
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
    try file.append(lines)
    try file.flush()
    try Disk.sync(folder: URL(filePath: path).deletingLastPathComponent())
  }

  /// Writes down what a step has given: all of it or, where this process dies meanwhile, nothing.
  public func append(_ events: [GenerationEvent]) throws(JournalError) {
    let kept = events.compactMap(\.json)
    guard !kept.isEmpty else { return }
    try file.append(JournalLine.sealed(.members(["step": .array(kept)]), &checksum))
  }

  /// Returns when all that was appended is on the disk.
  public func flush() throws(JournalError) { try file.flush() }
}
