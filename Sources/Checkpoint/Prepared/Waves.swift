import Kernels

extension ThreadPool {
  /// Cuts `count` pieces of work into some for each thread at a time: between them progress is told, and an error ends
  /// the work.
  func waves(_ count: Int) -> [Range<Int>] {
    let step = threads * 4
    return stride(from: 0, to: count, by: step).map { $0..<min($0 + step, count) }
  }
}

/// What the tiles of a run on a thread pool find; tiles write different elements.
final class TileResults<Element>: @unchecked Sendable {
  private let base: UnsafeMutableBufferPointer<Element?>

  init(count: Int) {
    base = .allocate(capacity: count)
    base.initialize(repeating: nil)
  }

  deinit {
    base.deinitialize()
    base.deallocate()
  }

  subscript(tile: Int) -> Element? {
    get { base[tile] }
    set { base[tile] = newValue }
  }

  var first: Element? { base.lazy.compactMap { $0 }.first }
}
