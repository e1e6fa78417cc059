/// Reads the parts of a GGUF header one after another. Nothing in it is trusted: every count is compared with the
/// bytes that are left before anything is reserved for it.
struct GGUFCursor {
  let bytes: UnsafeRawBufferPointer
  let file: String
  private(set) var position = 0

  /// A header with the largest vocabularies has some 20 MB; what is larger is no header.
  static let headerLimit = 1 << 30

  init(_ bytes: UnsafeRawBufferPointer, file: String) {
    self.bytes = UnsafeRawBufferPointer(rebasing: bytes.prefix(GGUFCursor.headerLimit))
    self.file = file
  }

  var left: Int { bytes.count - position }

  func damaged(_ subject: String, _ expected: String, _ found: String) -> CheckpointError {
    CheckpointError(
      file: file, subject: subject, expected: expected, found: CheckpointError.short(found),
      hint: "The file is damaged or no GGUF file: fetch it again.")
  }

  /// A count of 8 bytes, of elements of at least `size` bytes that must fit into what is left.
  mutating func count(of size: Int, _ subject: @autoclosure () -> String) throws -> Int {
    let written = try number(UInt64.self, subject())
    guard let count = Int(exactly: written), case let (total, overflow) = count.multipliedReportingOverflow(by: size),
      !overflow, total <= left
    else {
      let each = size == 1 ? "" : " of at least \(size) bytes each"
      throw damaged(subject(), "what fits into the \(left) bytes that are left of the header", "\(written)\(each)")
    }
    return count
  }

  mutating func number<Number: FixedWidthInteger>(
    _ type: Number.Type, _ subject: @autoclosure () -> String
  ) throws -> Number {
    let size = MemoryLayout<Number>.size
    guard size <= left else {
      throw CheckpointError(
        file: file, subject: subject(), expected: "\(size) bytes from byte \(position)",
        found: "the end after \(left)", hint: "The file is truncated: fetch it again.")
    }
    defer { position += size }
    return Number(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: Number.self))
  }

  /// A length of 8 bytes, then UTF-8.
  mutating func string(_ subject: @autoclosure () -> String) throws -> String {
    let length = try self.count(of: 1, "length of " + subject())
    let range = position..<position + length
    guard let text = String(validating: UnsafeRawBufferPointer(rebasing: bytes[range]), as: UTF8.self) else {
      throw damaged(subject(), "UTF-8", "other bytes")
    }
    position = range.upperBound
    return text
  }

  mutating func raw(_ count: Int) -> [UInt8] {
    precondition(count <= left)
    defer { position += count }
    return Array(UnsafeRawBufferPointer(rebasing: bytes[position..<position + count]))
  }

  mutating func valueType(_ subject: @autoclosure () -> String) throws -> GGUFValueType {
    let code = try number(UInt32.self, subject())
    guard let type = GGUFValueType(rawValue: code) else {
      throw damaged(subject(), "a type of metadata, 0 to 12", "\(code)")
    }
    return type
  }

  mutating func value(_ type: GGUFValueType, _ subject: String) throws -> GGUFValue {
    switch type {
    case .uint8: .uint8(try number(UInt8.self, subject))
    case .int8: .int8(try number(Int8.self, subject))
    case .uint16: .uint16(try number(UInt16.self, subject))
    case .int16: .int16(try number(Int16.self, subject))
    case .uint32: .uint32(try number(UInt32.self, subject))
    case .int32: .int32(try number(Int32.self, subject))
    case .uint64: .uint64(try number(UInt64.self, subject))
    case .int64: .int64(try number(Int64.self, subject))
    case .float32: .float32(Float(bitPattern: try number(UInt32.self, subject)))
    case .float64: .float64(Double(bitPattern: try number(UInt64.self, subject)))
    case .bool: .bool(try truth(try number(UInt8.self, subject), subject))
    case .string: .string(try string(subject))
    case .array: try array(subject)
    }
  }

  private func truth(_ byte: UInt8, _ subject: String) throws -> Bool {
    guard byte < 2 else { throw damaged(subject, "0 or 1 for a truth value", "\(byte)") }
    return byte == 1
  }

  private mutating func array(_ subject: String) throws -> GGUFValue {
    let type = try valueType(subject)
    guard type != .array else { throw damaged(subject, "an array of plain values", "an array of arrays") }
    let count = try self.count(of: type.leastBytes, "count of " + subject)
    guard type == .string else {
      let values = raw(count * type.leastBytes)
      if type == .bool, let wrong = values.first(where: { $0 > 1 }) { _ = try truth(wrong, subject) }
      return .numbers(GGUFNumbers(type: type, bytes: values))
    }
    var strings: [String] = []
    strings.reserveCapacity(count)
    for index in 0..<count { strings.append(try string("\(subject)[\(index)]")) }
    return .strings(strings)
  }
}
