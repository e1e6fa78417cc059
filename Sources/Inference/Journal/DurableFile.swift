import Checkpoint
import Foundation
import Kernels
import Synchronization

/// A file that grows at its end. What was appended survives this process at once, and within an interval the machine:
/// another thread brings it to the disk, since a disk that stands still must not stop the caller.
package final class DurableFile: Sendable {
  let path: String
  private let descriptor: Int32
  private let interval: Duration
  private let state = Mutex(State())
  private let queue = DispatchQueue(label: "flotilla.journal")

  private struct State {
    var isSyncDue = false
    /// Of the last attempt to bring it to the disk.
    var code: Int32 = 0
  }

  /// - Parameters:
  ///   - descriptor: open for writing; closed at the end, and a lock on it given up.
  ///   - interval: 0: appended bytes are on the disk when ``append(_:)`` returns.
  package init(descriptor: Int32, path: String, interval: Duration) {
    self.descriptor = descriptor
    self.path = path
    self.interval = interval
  }

  deinit {
    if state.withLock({ $0.isSyncDue }) { fdatasync(descriptor) }
    Disk.closeLocked(descriptor)
  }

  /// - Throws: ``JournalError``, also where earlier bytes did not reach the disk.
  package func append(_ bytes: [UInt8]) throws(JournalError) {
    try checkDisk()
    let code = Descriptor.write(bytes, to: descriptor)
    guard code == 0 else { throw .system(path, "write", code) }
    if interval == .zero { try flush() } else { syncLater() }
  }

  /// Returns when all is on the disk.
  func flush() throws(JournalError) {
    sync()
    try checkDisk()
  }

  private func syncLater() {
    let isNew = state.withLock { state in
      defer { state.isSyncDue = true }
      return !state.isSyncDue
    }
    guard isNew else { return }
    queue.asyncAfter(deadline: .now() + interval / .seconds(1)) { [weak self] in self?.sync() }
  }

  private func sync() {
    // Before, so that what is appended meanwhile has its turn.
    state.withLock { $0.isSyncDue = false }
    let code = fdatasync(descriptor) == 0 ? 0 : errno
    if code != 0 { state.withLock { $0.code = code } }
  }

  private func checkDisk() throws(JournalError) {
    let code = state.withLock { $0.code }
    if code != 0 { throw .system(path, "bring to the disk", code) }
  }
}
