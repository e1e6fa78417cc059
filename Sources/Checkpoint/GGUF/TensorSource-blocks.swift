import Kernels

// Blocks as the kernels have them, out of GGUF files.
extension TensorSource {
  /// Whether the rows are blocks of a kind, or of another kind of which the same numbers can be had in that one.
  public func hasBlocks(_ block: BlockFormat) -> Bool {
    isContiguous && type.isHeld(by: block)
  }

  /// Shows the blocks of some rows, without gaps.
  ///
  /// - Precondition: ``hasBlocks(_:)``
  public func withBlocks(_ block: BlockFormat, _ rows: Range<Int>, _ body: (UnsafeRawBufferPointer) -> Void) {
    let source = rawRows(rows)
    guard type.block != block else { return body(source) }
    guard let repack = StoredBlocks.repacker(type, block) else { preconditionFailure("\(name) has no such blocks") }
    let blocks = rows.count * columns / block.blockSize
    withUnsafeTemporaryAllocation(byteCount: blocks * block.blockBytes, alignment: 64) { room in
      for index in 0..<blocks {
        repack(source.baseAddress! + index * source.count / blocks, room.baseAddress! + index * block.blockBytes)
      }
      body(UnsafeRawBufferPointer(room))
    }
  }

  /// Where the rows are put together from two tensors: the keys' `[heads * columns, rows of a head]` and the values.
  public var headParts: (keys: TensorSource, values: TensorSource)? {
    guard case .heads(let heads) = layout else { return nil }
    return (heads.keys, heads.values)
  }
}
