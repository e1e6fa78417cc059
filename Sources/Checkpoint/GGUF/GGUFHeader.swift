/// One tensor of a GGUF file.
public struct GGUFTensor: Sendable, Equatable {
  public let name: String
  public let type: GGMLType
  /// ggml's order: the first is the length of a row, adjacent in memory; 1 to 4 of them.
  public let dimensions: [Int]
  /// Where the data lie, in bytes from the start of the file.
  public let byteRange: Range<Int>

  /// Elements of a row.
  public var columns: Int { dimensions[0] }
  /// Rows of all further dimensions together.
  public var rows: Int { dimensions.dropFirst().reduce(1, *) }
  public var rowBytes: Int { columns / type.blockElements * type.blockBytes }
}

/// The header of a GGUF file: magic, version, counts, metadata, tensor table; then the data.
public struct GGUFHeader: Sendable {
  public static let magic = Array("GGUF".utf8)
  /// What ``GGUFWriter`` writes. Version 2 has the same layout and is read too.
  public static let version = 3
  static let defaultAlignment = 32
  static let alignmentKey = "general.alignment"
  /// ggml's limits.
  static let longestName = 63
  static let mostDimensions = 4

  public let version: Int
  public let metadata: GGUFMetadata
  /// In the order of their data.
  public let tensors: [GGUFTensor]
  /// Every tensor's data begin at a multiple of this, in bytes.
  public let alignment: Int
  /// Where the data begin.
  public let dataStart: Int

  /// Parses and checks everything that the format demands: counts and lengths within the file, distinct keys and
  /// names, known types, whole rows of blocks, data in order without hole or overlap. Reads no data.
  ///
  /// - Parameter bytes: the whole file.
  /// - Throws: ``CheckpointError`` naming the field or tensor.
  public init(_ bytes: UnsafeRawBufferPointer, file: String) throws {
    var cursor = GGUFCursor(bytes, file: file)
    version = try GGUFHeader.version(&cursor)
    // Names and dimensions take at least that many bytes.
    let tensorCount = try cursor.count(of: 32, "tensor count")
    let pairCount = try cursor.count(of: 13, "metadata count")
    metadata = try GGUFHeader.metadata(&cursor, count: pairCount)
    alignment = try GGUFHeader.alignment(metadata, cursor)
    let declarations = try GGUFHeader.declarations(&cursor, count: tensorCount)
    dataStart = (cursor.position + alignment - 1) / alignment * alignment
    tensors = try GGUFHeader.place(
      declarations, from: dataStart, alignment: alignment, fileSize: bytes.count, cursor)
  }

  private static func version(_ cursor: inout GGUFCursor) throws -> Int {
    guard cursor.left >= 4 else { throw cursor.damaged("file size", "at least 4 bytes", "\(cursor.left)") }
    guard cursor.raw(4) == magic else { throw cursor.damaged("magic", "GGUF", "something else") }
    let version = try cursor.number(UInt32.self, "version")
    if version & 0xFFFF == 0, version != 0 {
      throw CheckpointError(
        file: cursor.file, subject: "version", expected: "a little-endian file",
        found: "version \(version.byteSwapped) in the other byte order",
        hint: "It was written for big-endian machines: convert the checkpoint again.")
    }
    guard (2...3).contains(version) else {
      throw CheckpointError(
        file: cursor.file, subject: "version", expected: "2 or 3", found: "\(version)",
        hint: version < 2 ? "Version 1 is from 2023: convert the checkpoint again." : "The file is damaged or newer.")
    }
    return Int(version)
  }

  private static func metadata(_ cursor: inout GGUFCursor, count: Int) throws -> GGUFMetadata {
    var metadata = GGUFMetadata()
    for index in 0..<count {
      let key = try cursor.string("metadata key \(index)")
      guard !key.isEmpty else { throw cursor.damaged("metadata key \(index)", "a name", "an empty one") }
      let subject = "field \(CheckpointError.short(key))"
      let value = try cursor.value(try cursor.valueType(subject), subject)
      guard metadata.append(key, value) else { throw cursor.damaged(subject, "distinct keys", "this one twice") }
    }
    return metadata
  }

  private static func alignment(_ metadata: GGUFMetadata, _ cursor: GGUFCursor) throws -> Int {
    guard let value = metadata[alignmentKey] else { return defaultAlignment }
    guard case .uint32(let alignment) = value, alignment.nonzeroBitCount == 1, alignment <= 1 << 20 else {
      throw cursor.damaged("field \(alignmentKey)", "a power of two up to 1048576, as uint32", value.shown)
    }
    return Int(alignment)
  }
}
