import Crypto
import Kernels

/// A tensor in a bundle.
public struct PreparedTensor: Sendable, Equatable {
  /// How its bytes lie.
  public enum Layout: Sendable, Equatable {
    /// Panels as kernels read them; where the shape has three dimensions, several matrices, each filled up with zeros to
    /// a multiple of ``alignment``.
    case panels(WeightFormat)
    /// Elements in the order of the shape.
    case rows(ElementType)
  }

  public let name: String
  public let layout: Layout
  public let shape: [Int]
  /// In bytes from the start of the bundle, a multiple of ``alignment``.
  public let offset: Int
  /// Bytes of all but the last piece; a piece is what is written, hashed and checked at once.
  public let pieceBytes: Int
  /// SHA-256 of each piece; zeros while they are not known.
  public internal(set) var hashes: [Digest]

  public let bytes: Int

  /// Of tensors in a bundle, in bytes.
  public static let alignment = PackedMatrix.alignment

  public init(name: String, layout: Layout, shape: [Int], offset: Int, pieceBytes: Int, hashes: [Digest]? = nil) {
    guard let bytes = Self.bytes(layout, shape) else { preconditionFailure("\(name) \(shape) has no size") }
    self.init(
      name: name, layout: layout, shape: shape, offset: offset, pieceBytes: pieceBytes, bytes: bytes,
      hashes: hashes ?? [Digest](repeating: .zero, count: Self.pieces(bytes, of: pieceBytes)))
  }

  /// - Parameter bytes: as the layout and the shape say.
  init(
    name: String, layout: Layout, shape: [Int], offset: Int, pieceBytes: Int, bytes: Int, hashes: [Digest]
  ) {
    self.name = name
    self.layout = layout
    self.shape = shape
    self.offset = offset
    self.pieceBytes = pieceBytes
    self.bytes = bytes
    self.hashes = hashes
  }

  /// Where the bytes lie in the bundle.
  public var range: Range<Int> { offset..<offset + bytes }

  /// Where a piece lies in the bundle.
  public func range(ofPiece index: Int) -> Range<Int> {
    let start = index * pieceBytes
    return offset + start..<offset + min(bytes, start + pieceBytes)
  }

  static func pieces(_ bytes: Int, of pieceBytes: Int) -> Int {
    let (whole, rest) = bytes.quotientAndRemainder(dividingBy: pieceBytes)
    return whole + (rest > 0 ? 1 : 0)
  }

  /// Of an offset, and of a tensor: their sum does not overflow.
  static let mostBytes = Int.max / 4

  /// Largest dimension; two of them and a panel's bytes for a column do not overflow.
  static let mostPerDimension = 1 << 26

  /// Bytes of a tensor; nil where the layout and the shape do not go together.
  static func bytes(_ layout: Layout, _ shape: [Int]) -> Int? {
    guard (1...3).contains(shape.count), shape.allSatisfy({ (1...mostPerDimension).contains($0) }) else { return nil }
    let columns = shape[shape.count - 1]
    switch layout {
    case .panels(let format):
      guard shape.count >= 2, format == format.fitting(columns: columns) else { return nil }
      let matrix = format.bytes(rows: shape[shape.count - 2], columns: columns)
      guard shape.count == 3 else { return matrix }
      let (bytes, overflow) = PreparedBundle.aligned(matrix).multipliedReportingOverflow(by: shape[0])
      return overflow ? nil : bytes
    case .rows(let type):
      if let block = GGMLType.blocks[type], columns % block.blockElements != 0 { return nil }
      guard let rows = elementCount(shape.dropLast()) else { return nil }
      let (bytes, overflow) = rows.multipliedReportingOverflow(by: type.rowBytes(columns))
      return overflow ? nil : bytes
    }
  }
}

/// A bundle of a prepared model.
public struct PreparedBundle: Sendable, Equatable {
  public let name: BundleName
  /// In the order of their offsets.
  public internal(set) var tensors: [PreparedTensor]
  /// Of the file.
  public let bytes: Int

  init(name: BundleName, tensors: [PreparedTensor], bytes: Int) {
    self.name = name
    self.tensors = tensors
    self.bytes = bytes
  }

  /// Gives tensors their places, one behind the other.
  public init(
    name: BundleName, laying tensors: [(name: String, layout: PreparedTensor.Layout, shape: [Int], pieceBytes: Int)]
  ) {
    var end = BundleHeader.bytes
    self.tensors = tensors.map { planned in
      let tensor = PreparedTensor(
        name: planned.name, layout: planned.layout, shape: planned.shape, offset: Self.aligned(end),
        pieceBytes: planned.pieceBytes)
      end = tensor.range.upperBound
      return tensor
    }
    self.name = name
    bytes = end
  }

  static func aligned(_ offset: Int) -> Int {
    (offset + PreparedTensor.alignment - 1) / PreparedTensor.alignment * PreparedTensor.alignment
  }

  /// SHA-256 over the hashes of all pieces, in order.
  public var digest: Digest {
    var hash = SHA256()
    for tensor in tensors {
      for piece in tensor.hashes { piece.withUnsafeBytes { hash.update(bufferPointer: $0) } }
    }
    return Digest(hash.finalize())
  }
}
