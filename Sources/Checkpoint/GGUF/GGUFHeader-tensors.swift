extension GGUFHeader {
  /// An entry of the tensor table.
  struct Declaration {
    let name: String
    let type: GGMLType
    let dimensions: [Int]
    /// Of the data, in bytes.
    let size: Int
    /// From the start of the data.
    let offset: UInt64
  }

  static func declarations(_ cursor: inout GGUFCursor, count: Int) throws -> [Declaration] {
    var declarations: [Declaration] = []
    declarations.reserveCapacity(count)
    var names: Set<String> = []
    for index in 0..<count {
      let declaration = try declaration(&cursor, index)
      guard names.insert(declaration.name).inserted else {
        throw cursor.damaged("tensor \(declaration.name)", "distinct names", "this one twice")
      }
      declarations.append(declaration)
    }
    return declarations
  }

  /// Name, number of dimensions, dimensions, type, offset.
  private static func declaration(_ cursor: inout GGUFCursor, _ index: Int) throws -> Declaration {
    let name = try cursor.string("name of tensor \(index)")
    guard (1...longestName).contains(name.utf8.count) else {
      throw cursor.damaged("name of tensor \(index)", "1 to \(longestName) bytes", "\(name.utf8.count)")
    }
    let subject = "tensor \(name)"
    let dimensionCount = try cursor.number(UInt32.self, subject)
    guard (1...mostDimensions).contains(Int(dimensionCount)) else {
      throw cursor.damaged(subject, "1 to \(mostDimensions) dimensions", "\(dimensionCount)")
    }
    let dimensions = try (0..<dimensionCount).map { _ -> Int in
      let written = try cursor.number(UInt64.self, subject)
      guard let dimension = Int(exactly: written), dimension > 0 else {
        throw cursor.damaged(subject, "dimensions from 1 that fit 63 bits", "\(written)")
      }
      return dimension
    }
    let code = try cursor.number(UInt32.self, subject)
    guard let type = GGMLType(rawValue: code) else {
      throw CheckpointError(
        file: cursor.file, subject: subject, expected: "a known element type", found: "number \(code)",
        hint: "The file is damaged, or newer than this version of Flotilla.")
    }
    let size = try size(dimensions, type, subject, cursor)
    return Declaration(
      name: name, type: type, dimensions: dimensions, size: size, offset: try cursor.number(UInt64.self, subject))
  }

  static func size(_ dimensions: [Int], _ type: GGMLType, _ subject: String, _ cursor: GGUFCursor) throws -> Int {
    guard dimensions[0] % type.blockElements == 0 else {
      throw cursor.damaged(
        subject, "rows of whole blocks of \(type.blockElements) (\(type.name))", "\(dimensions[0]) elements")
    }
    guard let rowBytes = type.bytes(columns: dimensions[0]),
      let size = elementCount([rowBytes] + dimensions.dropFirst())
    else { throw cursor.damaged(subject, "a size that fits 63 bits", "\(dimensions)") }
    return size
  }

  /// Gives every tensor its place: one after another, each from a multiple of the alignment.
  static func place(
    _ declarations: [Declaration], from start: Int, alignment: Int, fileSize: Int, _ cursor: GGUFCursor
  ) throws -> [GGUFTensor] {
    var end = start
    var paddedEnd = start
    let tensors = try declarations.map { declaration in
      let subject = "tensor \(declaration.name)"
      guard declaration.offset == UInt64(paddedEnd - start) else {
        throw cursor.damaged(
          subject, "data from offset \(paddedEnd - start), after the tensor before it",
          "data from offset \(declaration.offset)")
      }
      let begin = paddedEnd
      let (next, past) = begin.addingReportingOverflow(declaration.size)
      let (padded, wide) = next.addingReportingOverflow(alignment - 1)
      guard !past, !wide else {
        throw cursor.damaged(subject, "a size that fits 63 bits", "\(declaration.dimensions)")
      }
      end = next
      paddedEnd = padded / alignment * alignment
      return GGUFTensor(
        name: declaration.name, type: declaration.type, dimensions: declaration.dimensions, byteRange: begin..<next)
    }
    // The last tensor may or may not be padded.
    guard end <= fileSize || tensors.isEmpty else {
      throw CheckpointError(
        file: cursor.file, subject: "file size", expected: "\(end) bytes or more", found: "\(fileSize) bytes",
        hint: "The file is truncated: fetch it again.")
    }
    guard fileSize <= max(paddedEnd, cursor.position) else {
      throw cursor.damaged(
        "file size", "at most \(paddedEnd) bytes", "\(fileSize) bytes, the last ones of no tensor")
    }
    return tensors
  }
}
