import Foundation
import Reporting

/// The file of `--record`. It is tried before the run, since a path that cannot be written to should not cost the work,
/// and made when there is a record.
struct RecordOutput {
  private let path: String

  /// - Throws: `RecordError`.
  init(path: String) throws(RecordError) {
    self.path = path
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard descriptor < 0 else {
      close(descriptor)
      unlink(path)
      return
    }
    _ = try RecordFile(path: path)
  }

  /// Appends a line; on return it is on the disk.
  func append(_ record: RunRecord) throws {
    do {
      try RecordFile(path: path).append(record)
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
}
