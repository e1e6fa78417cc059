/// A matrix of E4M3 codes, `[rows, columns]`, and the f32 scales of its blocks, as official FP8 checkpoints store it.
public struct ScaledCodes: Sendable {
  public let columns: Int
  let codes: TensorSource.MappedRange
  let scales: TensorSource.ScaleGrid

  /// Rows and columns that share a scale.
  public var block: ModelConfiguration.BlockSize { scales.block }

  /// The codes of some rows, a byte each, without gaps; valid as long as the checkpoint is open.
  public func rows(_ range: Range<Int>) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: codes.base + range.lowerBound * columns, count: range.count * columns)
  }

  /// What a row's codes are multiplied by, in the block of columns with the given index.
  public func scale(row: Int, blockColumn: Int) -> Float { scales.scale(row: row, blockColumn: blockColumn) }
}
