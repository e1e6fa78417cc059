import Checkpoint
import Foundation

/// A file of run records, one JSON line each, that several runs may append to.
///
/// Make it before the run: a path that cannot be written to is known before the work, not after it. The file itself is
/// made when there is something to write, so that a run that fails leaves none.
public final class RecordFile {
  public let path: String
  private var descriptor: Int32 = -1
  /// Where this run's last word of how far it is lies.
  private var word: Range<off_t>?

  /// Tries whether the file can be written to.
  ///
  /// - Throws: ``RecordError``.
  public init(path: String) throws(RecordError) {
    self.path = path
    var tried = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    if tried >= 0 { unlink(path) }
    // What is there may be another rank's trial, about to go: nothing is kept of it.
    if tried < 0, errno == EEXIST { tried = open(path, O_RDWR | O_APPEND | O_CLOEXEC) }
    let code = errno
    guard tried < 0 else {
      close(tried)
      return
    }
    guard code == ENOENT, hasFolder else { throw RecordError(path: path, action: "open", code: code) }
  }

  private var hasFolder: Bool {
    let parent = NSString(string: path).deletingLastPathComponent
    return FileManager.default.fileExists(atPath: parent.isEmpty ? "." : parent)
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  private func prepare() throws(RecordError) {
    guard descriptor < 0 else { return }
    descriptor = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0o644)
    if descriptor < 0 { throw RecordError(path: path, action: "open", code: errno) }
  }

  /// Appends a line, in the place of the last word of how far the run is; on return it is on the disk.
  public func append(_ record: RunRecord) throws {
    do {
      try prepare()
      try locked {
        try takeBackWord()
        _ = try append(try record.jsonLine())
      }
      // A pipe or a terminal has nothing to flush.
      if fsync(descriptor) != 0, errno != EINVAL, errno != EROFS { try check(-1, "flush") }
    } catch {
      if hasNoLine { unlink(path) }
      throw error
    }
  }

  /// Whether there is a plain file that holds no whole record.
  private var hasNoLine: Bool {
    var status = stat()
    guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return false }
    return FileManager.default.contents(atPath: path)?.contains(10) == false
  }

  /// Appends how far a run is, in the place of what it said last; it may be lost with the machine. What is no file on a
  /// disk gets none: nothing could take it back there.
  func append(_ progress: RunProgress) throws {
    try prepare()
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return }
    let line = try progress.jsonLine()
    try locked {
      try takeBackWord()
      word = try append(line)
    }
  }

  /// Removes this run's last word, unless another run has written behind it.
  private func takeBackWord() throws(RecordError) {
    defer { word = nil }
    guard let word, lseek(descriptor, 0, SEEK_END) == word.upperBound else { return }
    try check(ftruncate(descriptor, word.lowerBound), "shorten")
  }

  private func locked(_ body: () throws -> Void) throws {
    try check(flock(descriptor, LOCK_EX), "lock")
    defer { _ = flock(descriptor, LOCK_UN) }
    try body()
  }

  /// - Returns: where it is now.
  private func append(_ text: [UInt8]) throws(RecordError) -> Range<off_t> {
    var line = text + [10]
    // A run that died while writing leaves half a line: it must not spoil ours.
    var last: UInt8 = 10
    let size = lseek(descriptor, 0, SEEK_END)
    if size > 0, pread(descriptor, &last, 1, size - 1) == 1, last != 10 { line.insert(10, at: 0) }
    try write(line)
    return max(size, 0)..<max(size, 0) + off_t(line.count)
  }

  private func write(_ bytes: [UInt8]) throws(RecordError) {
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress! + done, bytes.count - done) }
      if count < 0, errno == EINTR { continue }
      try check(count > 0 ? 0 : -1, "write to")
      done += count
    }
  }

  private func check(_ result: Int32, _ action: String) throws(RecordError) {
    if result != 0 { throw RecordError(path: path, action: action, code: errno) }
  }
}

/// A record that could not be written.
public struct RecordError: Error, Equatable, CustomStringConvertible {
  public let path: String
  public let action: String
  public let code: Int32

  public var description: String {
    let refusal = WriteRefusal(code)
    return "\(printable(path)): expected to \(action) the record file, found \(refusal.found). Hint: "
      + refusal.hint(else: "--record names a file in a folder that exists and may be written to")
  }
}
