import Kernels

// Blocks as the kernels have them, out of GGUF files.
extension TensorSource {
  /// Whether the rows are blocks of a kind, or of another kind of which the same numbers can be had in that one.
  public func hasBlocks(_ block: BlockFormat) -> Bool {
    guard isContiguous else { return false }
    switch (type, block) {
    case (.q4_0, .q4_1), (.q5_0, .q8_0): return true
    default: return type.block == block
    }
  }

  /// Shows the blocks of some rows, without gaps.
  ///
  /// - Precondition: ``hasBlocks(_:)``
  public func withBlocks(_ block: BlockFormat, _ rows: Range<Int>, _ body: (UnsafeRawBufferPointer) -> Void) {
    let source = rawRows(rows)
    guard type.block != block else { return body(source) }
    let blocks = rows.count * columns / 32
    withUnsafeTemporaryAllocation(byteCount: blocks * block.blockBytes, alignment: 64) { room in
      for index in 0..<blocks {
        let (from, to) = (
          source.baseAddress! + index * source.count / blocks, room.baseAddress! + index * block.blockBytes
        )
        if type == .q4_0 { OldBlocks.repackQ4(from, into: to) } else { OldBlocks.repackQ5(from, into: to) }
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
