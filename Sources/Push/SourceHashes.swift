import Checkpoint
import Crypto
import Foundation
import Kernels
import Nodes
import Synchronization

/// SHA-256 of whole bundles here, for nodes that have nothing better than `sha256sum`. A bundle is held against the
/// manifest first: a hash of a damaged file would prove the damage right.
final class SourceHashes: Sendable {
  private let folder: URL
  private let manifest: PreparedManifest
  private let known = Mutex<[BundleName: String]>([:])

  init(_ manifest: PreparedManifest, of folder: URL) {
    self.manifest = manifest
    self.folder = folder
  }

  /// In hexadecimal; a second node gets what the first one waited for.
  ///
  /// - Throws: ``PushError`` where the bundle here is damaged, ``PushInterrupted``.
  func hash(_ bundle: BundleName, isCancelled: () -> Bool) throws -> String {
    try known.withLock { known in
      if let hash = known[bundle] { return hash }
      try check([bundle], isCancelled: isCancelled)
      let file = try FileHandle(forReadingFrom: folder.appending(path: bundle.fileName))
      defer { try? file.close() }
      var hash = SHA256()
      while let bytes = try file.read(upToCount: 8 << 20), !bytes.isEmpty {
        if isCancelled() { throw PushInterrupted() }
        hash.update(data: bytes)
      }
      let text = "\(Digest(hash.finalize()))"
      known[bundle] = text
      return text
    }
  }

  /// Compares bundles here with the manifest.
  func check(_ bundles: [BundleName], isCancelled: () -> Bool) throws {
    let pool = ThreadPool(threads: max(1, ProcessInfo.processInfo.activeProcessorCount))
    try PreparedVerification(manifest, of: folder).run(bundles, pool: pool) { _, _ in
      if isCancelled() { throw PushInterrupted() }
    } report: { error in
      throw PushError(
        "the folder that is pushed is damaged itself: \(error.file): \(error.subject): expected \(error.expected), "
          + "found \(error.found)", hint: "prepare it again, or fetch that file from a node that has it")
    }
  }
}
