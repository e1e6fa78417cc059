import Kernels

/// How the elements of a tensor are stored: the types of the safetensors format under their names in its header,
/// and block formats of GGUF under ggml's names.
public enum ElementType: String, Sendable, CaseIterable {
  case f64 = "F64"
  case f32 = "F32"
  case f16 = "F16"
  case bf16 = "BF16"
  case f8e4m3 = "F8_E4M3"
  case f8e5m2 = "F8_E5M2"
  case i64 = "I64"
  case i32 = "I32"
  case i16 = "I16"
  case i8 = "I8"
  case u64 = "U64"
  case u32 = "U32"
  case u16 = "U16"
  case u8 = "U8"
  case bool = "BOOL"
  case q4_0 = "Q4_0"
  case q4_1 = "Q4_1"
  case q5_0 = "Q5_0"
  case q5_1 = "Q5_1"
  case q8_0 = "Q8_0"
  case q2_K = "Q2_K"
  case q3_K = "Q3_K"
  case q4_K = "Q4_K"
  case q5_K = "Q5_K"
  case q6_K = "Q6_K"
  case iq4_NL = "IQ4_NL"
  case iq4_XS = "IQ4_XS"

  /// The types of safetensors files.
  static let plain: [ElementType] = allCases.filter { !$0.isBlock }

  /// Whether elements are stored in blocks that share scales, as GGUF files have them.
  public var isBlock: Bool { GGMLType.blocks[self] != nil }

  /// The kernels' block format, where they have it; raw rows of such a matrix can be packed as they are.
  public var block: BlockFormat? {
    switch self {
    case .q4_1: .q4_1
    case .q8_0: .q8_0
    case .q4_K: .q4_K
    case .q6_K: .q6_K
    default: nil
    }
  }

  /// Whether blocks of this format hold the numbers of a tensor of this type, one for one.
  public func isHeld(by block: BlockFormat) -> Bool {
    self.block == block || StoredBlocks.repacker(self, block) != nil
  }

  /// Bytes of one element; blocks have no such thing.
  public var bytes: Int {
    switch self {
    case .f64, .i64, .u64: 8
    case .f32, .i32, .u32: 4
    case .f16, .bf16, .i16, .u16: 2
    case .f8e4m3, .f8e5m2, .i8, .u8, .bool: 1
    case .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .q2_K, .q3_K, .q4_K, .q5_K, .q6_K, .iq4_NL, .iq4_XS:
      preconditionFailure("\(rawValue) has no size of one element")
    }
  }

  /// Bytes of a row of `columns` elements; whole blocks, where there are blocks.
  public func rowBytes(_ columns: Int) -> Int {
    guard let type = GGMLType.blocks[self] else { return columns * bytes }
    precondition(columns % type.blockElements == 0, "\(columns) elements in blocks of \(type.blockElements)")
    return columns / type.blockElements * type.blockBytes
  }
}

extension GGMLType {
  static let blocks: [ElementType: GGMLType] = [
    .q4_0: .q4_0, .q4_1: .q4_1, .q5_0: .q5_0, .q5_1: .q5_1, .q8_0: .q8_0, .q2_K: .q2_K, .q3_K: .q3_K, .q4_K: .q4_K,
    .q5_K: .q5_K, .q6_K: .q6_K, .iq4_NL: .iq4_NL, .iq4_XS: .iq4_XS,
  ]

  private static let all = blocks.merging([.f32: .f32, .f16: .f16, .bf16: .bf16]) { block, _ in block }

  /// Nil for the types that GGUF files do not have.
  init?(_ type: ElementType) {
    guard let found = Self.all[type] else { return nil }
    self = found
  }

  /// Nil for the types of GGUF that do not run.
  fileprivate var element: ElementType? { Self.all.first { $0.value == self }?.key }
}

extension ElementType {
  /// Nil for the types of GGUF that do not run.
  init?(_ type: GGMLType) {
    guard let found = type.element else { return nil }
    self = found
  }
}

/// One tensor of a safetensors file.
public struct TensorInfo: Sendable, Equatable {
  public let name: String
  public let type: ElementType
  public let shape: [Int]
  /// The file's name, relative to the checkpoint's folder.
  public let file: String
  /// Where the data lie, in bytes from the start of the file.
  public let byteRange: Range<Int>

  public init(name: String, type: ElementType, shape: [Int], file: String, byteRange: Range<Int>) {
    self.name = name
    self.type = type
    self.shape = shape
    self.file = file
    self.byteRange = byteRange
  }
}

/// Number of elements of `shape`, or nil where a dimension is negative or the product overflows.
func elementCount(_ shape: [Int]) -> Int? {
  var count = 1
  for dimension in shape {
    guard dimension >= 0 else { return nil }
    let (product, overflow) = count.multipliedReportingOverflow(by: dimension)
    if overflow { return nil }
    count = product
  }
  return count
}
