import Foundation

/// Memory that is read from end to end to see how fast that goes: whole pages, huge ones where the system has them.
public final class StreamBuffer: @unchecked Sendable {
  public let bytes: Int
  let base: UnsafeMutableRawPointer

  /// Every page is written once, by the threads that will read, so that it is really there.
  ///
  /// - Parameter bytes: rounded up to whole tiles.
  /// - Returns: nil where the system has no room.
  public init?(bytes wanted: Int, compute: Compute) {
    let tiles = max(1, (wanted + Self.tileBytes - 1) / Self.tileBytes)
    bytes = tiles * Self.tileBytes
    let found = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let found, found != MAP_FAILED else { return nil }
    base = found
    let hugePages: Int32 = 14  // MADV_HUGEPAGE
    _ = madvise(base, bytes, hugePages)
    let words = base.assumingMemoryBound(to: UInt64.self)
    compute.pool.run(tiles: tiles) { tile in
      let count = Self.tileBytes / MemoryLayout<UInt64>.stride
      for index in tile * count..<(tile + 1) * count { words[index] = Self.word(index) }
    }
  }

  /// Bytes that are harmless numbers in every format of weights: floats near 0.01, half floats near 1, no subnormal
  /// E4M3 codes, of which real weights have few and which some processors multiply slowly.
  public static func word(_ index: Int) -> UInt64 { 0x3c3c_3c3c_3c3c_3c00 + 8 + UInt64(index % 53) }

  deinit { munmap(base, bytes) }

  var tiles: Int { bytes / Self.tileBytes }
  /// Large enough that taking the next tile costs nothing, small enough that threads end together.
  static let tileBytes = 1 << 20
}
