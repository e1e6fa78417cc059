import CKernels
import Synchronization

/// Memory for as many tiles as run at once: a tile takes a slot, and whoever comes next finds another. What a slot
/// holds is lost afterwards.
public final class ScratchSlots: @unchecked Sendable {
  /// f32 numbers in a slot.
  public let size: Int
  private let count: Int
  private let memory: ActivationBuffer
  private let taken: UnsafeMutablePointer<Atomic<Bool>>

  /// - Parameter count: threads that may want one at the same time; with fewer they wait for each other.
  public init(count: Int, size: Int) {
    precondition(count >= 1 && size >= 0)
    self.count = count
    self.size = size
    memory = ActivationBuffer(capacity: count, columns: size)
    taken = .allocate(capacity: count)
    for slot in 0..<count { (taken + slot).initialize(to: Atomic(false)) }
  }

  deinit {
    taken.deinitialize(count: count)
    taken.deallocate()
  }

  /// Calls `body` with memory for ``size`` numbers, 64-byte aligned where `size` is a multiple of 16.
  public func withSlot<Result>(_ body: (UnsafeMutablePointer<Float>) -> Result) -> Result {
    var slot = 0
    while taken[slot].exchange(true, ordering: .acquiring) {
      slot = (slot + 1) % count
      if slot == 0 { fk_pause() }
    }
    defer { taken[slot].store(false, ordering: .releasing) }
    return body(memory.rows(count).base + slot * size)
  }
}
