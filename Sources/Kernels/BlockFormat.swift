import CKernels

/// A block format of GGUF files: a few bits for each weight, scales for each block of neighbours in a row.
public enum BlockFormat: String, Sendable, CaseIterable, Codable {
  /// 32 weights: f16 scale, codes of 8 bits.
  case q8_0
  /// 32 weights: f16 scale and offset, codes of 4 bits.
  case q4_1
  /// 256 weights: f16 scale and minimum, 8 sub-blocks with scale and minimum of 6 bits, codes of 4 bits.
  case q4_K
  /// 256 weights: f16 scale, 16 sub-blocks with a scale of 8 bits, codes of 6 bits.
  case q6_K

  /// Weights in a block. A row is a whole number of blocks.
  public var blockSize: Int {
    switch self {
    case .q8_0, .q4_1: 32
    case .q4_K, .q6_K: 256
    }
  }

  /// Bytes of a block.
  public var blockBytes: Int {
    switch self {
    case .q8_0: 34
    case .q4_1: 20
    case .q4_K: 144
    case .q6_K: 210
    }
  }

  /// Bytes of a row; `columns` is a multiple of ``blockSize``.
  public func bytes(columns: Int) -> Int {
    precondition(columns.isMultiple(of: blockSize), "\(columns) columns are not whole blocks of \(blockSize) (\(self))")
    return columns / blockSize * blockBytes
  }

  var code: fk_block_format {
    switch self {
    case .q8_0: FK_BLOCK_Q8_0
    case .q4_1: FK_BLOCK_Q4_1
    case .q4_K: FK_BLOCK_Q4_K
    case .q6_K: FK_BLOCK_Q6_K
    }
  }
}

extension KernelTable {
  /// Writes the blocks of least squared error that a search finds for one row; on every instruction set the
  /// same bytes.
  ///
  /// NaN counts as 0; what a block cannot hold becomes the nearest number that it can.
  ///
  /// - Parameters:
  ///   - row: `[columns]` f32, whole blocks.
  ///   - blocks: ``BlockFormat/bytes(columns:)`` bytes, any alignment.
  public func quantize(
    _ format: BlockFormat, row: UnsafeBufferPointer<Float>, into blocks: UnsafeMutableRawBufferPointer
  ) {
    precondition(blocks.count == format.bytes(columns: row.count), "\(blocks.count) bytes for \(row.count) columns")
    guard let source = row.baseAddress, let target = blocks.baseAddress else { return }
    functions.quantize(format.code, source, Int64(row.count), target)
  }

  /// Evaluates blocks in f32, in the order of operations of the format's reference implementation.
  ///
  /// - Parameters:
  ///   - blocks: ``BlockFormat/bytes(columns:)`` bytes, any alignment and any content.
  ///   - row: `[columns]` f32, whole blocks.
  public func dequantize(
    _ format: BlockFormat, blocks: UnsafeRawBufferPointer, into row: UnsafeMutableBufferPointer<Float>
  ) {
    precondition(blocks.count == format.bytes(columns: row.count), "\(blocks.count) bytes for \(row.count) columns")
    guard let source = blocks.baseAddress, let target = row.baseAddress else { return }
    functions.dequantize(format.code, source, Int64(row.count), target)
  }
}
