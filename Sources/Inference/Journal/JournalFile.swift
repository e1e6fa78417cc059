import Checkpoint
import Foundation

/// The file of a journal, held by one process at a time: the coordinator, or a launcher for its coordinators.
public final class JournalFile: JournalSink {
  public let path: String
  private let descriptor: Int32
  private let file: DurableFile
  /// Whether it goes again where nothing comes.
  private let isNew: Bool

  /// Makes a new file; an existing one is left alone, unless it is empty. One that stays empty goes again.
  ///
  /// - Parameter interval: within which bytes reach the disk.
  /// - Throws: ``JournalError``.
  public init(creating path: String, interval: Duration) throws(JournalError) {
    self.path = path
    (descriptor, file) = try Self.open(path, O_CREAT, "create", interval)
    isNew = true
    guard try contents().isEmpty else {
      throw JournalError(
        path: path, subject: "journal", expected: "no such file yet", found: "one that is not empty",
        hint: "Go on with it: --resume \(path). Or remove it, or name another.")
    }
  }

  /// - Throws: ``JournalError``.
  public init(existing path: String, interval: Duration) throws(JournalError) {
    self.path = path
    (descriptor, file) = try Self.open(path, 0, "open for writing", interval)
    isNew = false
  }

  deinit { if isNew, (try? contents())?.isEmpty == true { unlink(path) } }

  private static func open(
    _ path: String, _ flags: Int32, _ action: String, _ interval: Duration
  ) throws(JournalError) -> (Int32, DurableFile) {
    let descriptor = Foundation.open(path, O_RDWR | O_APPEND | O_CLOEXEC | flags, 0o644)
    guard descriptor >= 0 else { throw .system(path, action, errno) }
    let file = DurableFile(descriptor: descriptor, path: path, interval: interval)
    try lock(descriptor, path)
    return (descriptor, file)
  }

  /// Until the file lets go of the descriptor. File systems without locks go without.
  private static func lock(_ descriptor: Int32, _ path: String) throws(JournalError) {
    guard flock(descriptor, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK else { return }
    throw JournalError(
      path: path, subject: "journal", expected: "a file that nobody writes to", found: "another flotilla at work on it",
      hint: "Wait for its end, or end it.")
  }

  public func contents() throws(JournalError) -> [UInt8] { try Journal.contents(descriptor, path) }

  public func begin(_ bytes: [UInt8]) throws {
    try file.append(bytes)
    try file.flush()
    try Disk.sync(folder: URL(filePath: path).deletingLastPathComponent())
  }

  public func append(_ bytes: [UInt8]) throws(JournalError) { try file.append(bytes) }

  public func flush() throws(JournalError) { try file.flush() }

  /// What it says, once a torn last line is cut off.
  ///
  /// - Throws: ``JournalError``, also where nothing has begun.
  public func mended() throws(JournalError) -> Journal { try mendedAndSummed().journal }

  func mendedAndSummed() throws(JournalError) -> (journal: Journal, checksum: Checksum) {
    let bytes = try contents()
    var reader = JournalReader(path: path, bytes: bytes)
    let journal = try reader.read()
    try cut(to: bytes.count - journal.tornBytes, of: bytes.count)
    return (journal, reader.checksum)
  }

  /// The same, but where its writer died before it had written down what is to be generated, the file is made empty
  /// again, and there is nil.
  public func mendedIfBegun() throws(JournalError) -> Journal? {
    let bytes = try contents()
    var reader = JournalReader(path: path, bytes: bytes)
    let journal = try reader.readIfBegun()
    try cut(to: journal.map { bytes.count - $0.tornBytes } ?? 0, of: bytes.count)
    return journal
  }

  private func cut(to count: Int, of whole: Int) throws(JournalError) {
    guard count < whole, ftruncate(descriptor, off_t(count)) != 0 else { return }
    throw .system(path, "cut its torn line off", errno)
  }
}
