import Foundation
import Synchronization

/// A bundle that is being written: it keeps what it has through crashes under a temporary name, and gets its own name
/// when everything in it is written and synced. Pieces come in any order and from any thread.
final class BundleFile: Sendable {
  private let descriptor: Int32
  private let temporary: String
  private let final: String
  private let name: String

  /// Opens the file, begun or new, at its full size.
  ///
  /// - Throws: ``CheckpointError``.
  init(_ bundle: PreparedBundle, in folder: URL, identity: Digest) throws {
    name = bundle.name.fileName
    temporary = folder.appending(path: bundle.name.partialName).path(percentEncoded: false)
    final = folder.appending(path: name).path(percentEncoded: false)
    descriptor = open(temporary, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw Disk.failure(URL(filePath: final), "create it", errno) }
    guard ftruncate(descriptor, off_t(bundle.bytes)) == 0 else {
      throw Disk.failure(URL(filePath: final), "reserve its size", errno)
    }
    let header = BundleHeader.content(bundle.name, size: bundle.bytes, identity: identity)
    try header.withUnsafeBytes { bytes in try write(bytes, at: 0) }
  }

  deinit { close(descriptor) }

  func write(_ bytes: UnsafeRawBufferPointer, at position: Int) throws {
    var done = 0
    while done < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
      let count = pwrite(descriptor, rest.baseAddress, rest.count, off_t(position + done))
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw Disk.failure(URL(filePath: final), "write it", count < 0 ? errno : EIO) }
      done += count
    }
  }

  func sync() throws {
    guard fdatasync(descriptor) == 0 else { throw Disk.failure(URL(filePath: final), "bring it to the disk", errno) }
  }

  /// Gives the file its name; it must be synced.
  func finish() throws {
    guard rename(temporary, final) == 0 else { throw Disk.failure(URL(filePath: final), "finish it", errno) }
  }

  /// Of a begun file; nil where there is none.
  static func size(_ bundle: BundleName, in folder: URL) -> Int? {
    var status = stat()
    let path = folder.appending(path: bundle.partialName).path(percentEncoded: false)
    return stat(path, &status) == 0 ? Int(status.st_size) : nil
  }

  /// Bytes of the disk that a begun file has already.
  static func allocated(_ bundle: BundleName, in folder: URL) -> Int {
    var status = stat()
    let path = folder.appending(path: bundle.partialName).path(percentEncoded: false)
    return stat(path, &status) == 0 ? Int(status.st_blocks) * 512 : 0
  }
}
