import Foundation
import Kernels

/// Bytes done and in all; what it throws ends the work.
public typealias ByteProgress = (_ done: Int, _ total: Int) throws -> Void

extension PreparedStore {
  /// Compares the small files and all bytes of some bundles with the manifest, on all threads of a pool.
  ///
  /// - Throws: ``CheckpointError`` that names the first file and tensor that differ.
  public func verify(_ bundles: [BundleName], pool: ThreadPool, progress: ByteProgress = { _, _ in }) throws {
    try require(bundles)
    try PreparedVerification(manifest, of: folder).run(bundles, pool: pool, progress: progress) { throw $0 }
  }

  /// Short, since between stretches a rank shows that it is alive, and all threads may wait for one slow disk.
  private static let pageStretch = 8 << 20

  /// Brings the pages of some bundles into memory.
  public func populate(_ bundles: [BundleName], pool: ThreadPool, progress: ByteProgress = { _, _ in }) throws {
    try forEachStretch(bundles, pool, progress) { bytes, _ in
      // MADV_POPULATE_READ of Linux 5.14; older ones are touched page by page.
      guard madvise(UnsafeMutableRawPointer(mutating: bytes.baseAddress!), bytes.count, 22) != 0 else { return nil }
      var sum: UInt8 = 0
      for position in stride(from: 0, to: bytes.count, by: 4096) { sum &+= bytes[position] }
      withExtendedLifetime(sum) {}
      return nil
    }
  }

  /// Brings the pages of some bundles into memory and keeps them there.
  ///
  /// - Throws: ``CheckpointError`` where the system allows less locked memory.
  public func lock(_ bundles: [BundleName], pool: ThreadPool, progress: ByteProgress = { _, _ in }) throws {
    try forEachStretch(bundles, pool, progress) { bytes, file in
      guard mlock(bytes.baseAddress!, bytes.count) != 0 else { return nil }
      return CheckpointError(
        file: file, subject: "memory lock", expected: "to lock \(bytes.count) bytes more",
        found: String(cString: strerror(errno)),
        hint: "Raise the limit with ulimit -l, leave out --mlock, or use a host with more memory.")
    }
  }

  private func forEachStretch(
    _ bundles: [BundleName], _ pool: ThreadPool, _ progress: ByteProgress,
    _ body: (UnsafeRawBufferPointer, _ file: String) -> CheckpointError?
  ) throws {
    try require(bundles)
    let stretches = bundles.compactMap(mapped).flatMap { bundle, map in
      stride(from: 0, to: bundle.bytes, by: Self.pageStretch).map {
        (
          bundle.name.fileName,
          UnsafeRawBufferPointer(rebasing: map.bytes[$0..<min($0 + Self.pageStretch, bundle.bytes)])
        )
      }
    }
    let total = stretches.reduce(0) { $0 + $1.1.count }
    var done = 0
    for wave in pool.waves(stretches.count) {
      let failures = TileResults<CheckpointError>(count: wave.count)
      pool.run(tiles: wave.count) { tile in
        let (file, bytes) = stretches[wave.lowerBound + tile]
        failures[tile] = body(bytes, file)
      }
      if let error = failures.first { throw error }
      done += stretches[wave].reduce(0) { $0 + $1.1.count }
      try progress(done, total)
    }
  }
}
