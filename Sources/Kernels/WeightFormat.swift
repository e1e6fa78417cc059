import CKernels

/// How the weights of a matrix lie in memory while it runs. Documentation/Formats.md has bits and errors.
public enum WeightFormat: String, Sendable, CaseIterable, Codable {
  case f32
  case bf16
  /// E4M3 codes of official FP8 checkpoints as they are, with the scale of their block of 128 columns.
  case fp8
  /// 8-bit codes, a scale for 32 columns.
  case q8_0
  /// 4-bit codes, a scale and an offset for 32 columns.
  case q4_1
  /// 4-bit codes, 6-bit scales and minima for 32 of 256 columns.
  case q4_K
  /// 6-bit codes, 8-bit scales for 16 of 256 columns.
  case q6_K

  /// The blocks that weights are quantised to; nil: they are floating-point numbers, computed with in f32.
  public var block: BlockFormat? {
    switch self {
    case .f32, .bf16, .fp8: nil
    case .q8_0: .q8_0
    case .q4_1: .q4_1
    case .q4_K: .q4_K
    case .q6_K: .q6_K
    }
  }

  /// What its products take as input.
  public var encoding: ActivationEncoding { block == nil ? .f32 : .q8 }

  /// Columns that a block covers; 1 where each weight stands for itself.
  public var blockColumns: Int { self == .fp8 ? Int(FK_FP8_COLUMNS) : block?.blockSize ?? 1 }

  /// Bytes of 16 rows of one block in a panel.
  private var panelBlockBytes: Int {
    switch self {
    case .f32: 16 * 4
    case .bf16: 16 * 2
    case .fp8: Int(FK_PANEL_FP8)
    case .q8_0: Int(FK_PANEL_Q8_0)
    case .q4_1: Int(FK_PANEL_Q4_1)
    case .q4_K: Int(FK_PANEL_Q4_K)
    case .q6_K: Int(FK_PANEL_Q6_K)
    }
  }

  /// Bits of one weight, where rows are full blocks.
  public var bitsPerWeight: Double { Double(panelBlockBytes) * 8 / Double(16 * blockColumns) }

  /// This format, or the one that takes its place where 256 does not divide the columns.
  public func fitting(columns: Int) -> WeightFormat {
    guard columns % 256 != 0 else { return self }
    switch self {
    case .q4_K: return .q4_1
    case .q6_K: return .q8_0
    default: return self
    }
  }

  /// Bytes of a panel of 16 rows.
  public func panelBytes(columns: Int) -> Int { (columns + blockColumns - 1) / blockColumns * panelBlockBytes }

  /// Bytes of a packed matrix, the rows that fill up its last panel included.
  public func bytes(rows: Int, columns: Int) -> Int { (rows + 15) / 16 * panelBytes(columns: columns) }
}

/// How activation rows are stored between operations.
public enum ActivationEncoding: String, Sendable, Codable, CaseIterable {
  case f32
  /// 8-bit codes with a scale for 256 columns; see ``EncodedRows``.
  case q8

  /// Bytes of a row; of q8 a multiple of 64.
  public func rowBytes(columns: Int) -> Int {
    switch self {
    case .f32: return columns * 4
    case .q8:
      let padded = (columns + 31) / 32 * 32
      return (padded + padded / 8 + (columns + 255) / 256 * 4 + 63) & ~63
    }
  }
}
