import Foundation
import Kernels

/// Bytes done and in all; what it throws ends the work.
public typealias ByteProgress = (_ done: Int, _ total: Int) throws -> Void

extension PreparedStore {
  private struct Piece {
    let bundle: PreparedBundle
    let map: MappedFile
    let tensor: PreparedTensor
    let index: Int
  }

  /// Compares the small files and all bytes of some bundles with the manifest, on all threads of a pool.
  ///
  /// - Throws: ``CheckpointError`` that names the first file and tensor that differ.
  public func verify(_ bundles: [BundleName], pool: ThreadPool, progress: ByteProgress = { _, _ in }) throws {
    try require(bundles)
    try verifySmallFiles()
    let pieces = bundles.compactMap(mapped).flatMap { bundle, map in
      bundle.tensors.flatMap { tensor in
        tensor.hashes.indices.map { Piece(bundle: bundle, map: map, tensor: tensor, index: $0) }
      }
    }
    let total = pieces.reduce(0) { $0 + $1.tensor.range(ofPiece: $1.index).count }
    var done = 0
    for wave in waves(pieces.count, pool) {
      let failures = Failures(count: wave.count)
      pool.run(tiles: wave.count) { tile in failures[tile] = Self.difference(pieces[wave.lowerBound + tile]) }
      if let error = failures.first { throw error }
      done += pieces[wave].reduce(0) { $0 + $1.tensor.range(ofPiece: $1.index).count }
      try progress(done, total)
    }
  }

  private func waves(_ count: Int, _ pool: ThreadPool) -> [Range<Int>] {
    let step = pool.threads * 4
    return stride(from: 0, to: count, by: step).map { $0..<min($0 + step, count) }
  }

  private static func difference(_ piece: Piece) -> CheckpointError? {
    let range = piece.tensor.range(ofPiece: piece.index)
    let found = Digest(of: UnsafeRawBufferPointer(rebasing: piece.map.bytes[range]))
    let expected = piece.tensor.hashes[piece.index]
    let gap =
      piece.tensor.range
      .upperBound..<min(
        PreparedBundle.aligned(piece.tensor.range.upperBound), piece.bundle.bytes)
    let isPadded = piece.map.bytes[gap].allSatisfy { $0 == 0 }
    guard found != expected || !isPadded else { return nil }
    return .tensor(
      piece.tensor.name, file: piece.bundle.name.fileName,
      expected: found == expected
        ? "zeros behind it" : "sha256 \(expected) of bytes \(range.lowerBound) to \(range.upperBound - 1)",
      found: found == expected ? "other bytes" : "\(found)",
      hint: "The bundle is damaged: copy it again, or prepare it again.")
  }

  private func verifySmallFiles() throws {
    for file in manifest.files {
      let found = Digest(of: try readSmallFile(folder.appending(path: file.name), name: file.name))
      guard found != file.hash else { continue }
      throw CheckpointError(
        file: file.name, subject: "sha256", expected: "\(file.hash)", found: "\(found)",
        hint: "The file was changed or is damaged: copy it again, or prepare the model again.")
    }
  }

  private static let pageStretch = 64 << 20

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
    for wave in waves(stretches.count, pool) {
      let failures = Failures(count: wave.count)
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

/// What went wrong in each tile; tiles write different elements.
private final class Failures: @unchecked Sendable {
  private let base: UnsafeMutableBufferPointer<CheckpointError?>

  init(count: Int) {
    base = .allocate(capacity: count)
    base.initialize(repeating: nil)
  }

  deinit {
    base.deinitialize()
    base.deallocate()
  }

  subscript(tile: Int) -> CheckpointError? {
    get { base[tile] }
    set { base[tile] = newValue }
  }

  var first: CheckpointError? { base.lazy.compactMap { $0 }.first }
}
