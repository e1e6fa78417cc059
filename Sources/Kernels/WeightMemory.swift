import Foundation
import Synchronization

/// Where packed weights live: large mappings with huge pages asked for, handed out piece by piece and given back
/// when the last piece is gone. Pages come when they are first written, by the thread that writes them.
final class WeightMemory: Sendable {
  /// Memory that keeps its owner alive: a slab, or a mapped file, which nothing writes to.
  struct Piece: @unchecked Sendable {
    let base: UnsafeMutableRawPointer
    private let owner: AnyObject
    init(base: UnsafeMutableRawPointer, owner: AnyObject) {
      self.base = base
      self.owner = owner
    }
  }

  fileprivate final class Slab: @unchecked Sendable {
    let base: UnsafeMutableRawPointer
    let bytes: Int

    init(bytes: Int) {
      self.bytes = bytes
      let mapped = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
      guard let mapped, mapped != MAP_FAILED else {
        preconditionFailure("no address space for \(bytes) bytes of weights: \(String(cString: strerror(errno)))")
      }
      base = mapped
      madvise(base, bytes, Self.hugePages)
    }

    /// `MADV_HUGEPAGE` of Linux, which Swift does not import.
    private static let hugePages: Int32 = 14

    deinit { munmap(base, bytes) }
  }

  private struct State {
    var slab: Slab?
    var used = 0
  }
  private let state = Mutex(State())
  private let slabBytes: Int
  private static let alignment = 64

  /// - Parameter slabBytes: memory that small pieces share; 0: each piece goes when its owner goes.
  init(slabBytes: Int = 256 << 20) { self.slabBytes = slabBytes }

  /// Zeroed memory, 64-byte aligned.
  func allocate(_ bytes: Int) -> Piece {
    let rounded = (max(bytes, 1) + Self.alignment - 1) & ~(Self.alignment - 1)
    return state.withLock { state in
      if rounded > slabBytes / 4 {
        let own = Slab(bytes: rounded)
        return Piece(base: own.base, owner: own)
      }
      if state.slab == nil || state.used + rounded > slabBytes {
        state.slab = Slab(bytes: slabBytes)
        state.used = 0
      }
      defer { state.used += rounded }
      return Piece(base: state.slab!.base + state.used, owner: state.slab!)
    }
  }
}
