/// The types of GGUF metadata. Raw values are the numbers in the file.
public enum GGUFValueType: UInt32, Sendable {
  case uint8 = 0
  case int8 = 1
  case uint16 = 2
  case int16 = 3
  case uint32 = 4
  case int32 = 5
  case float32 = 6
  case bool = 7
  case string = 8
  case array = 9
  case uint64 = 10
  case int64 = 11
  case float64 = 12

  /// Bytes of a value; the least for strings (their length) and arrays (type and count).
  var leastBytes: Int {
    switch self {
    case .uint8, .int8, .bool: 1
    case .uint16, .int16: 2
    case .uint32, .int32, .float32: 4
    case .string, .uint64, .int64, .float64: 8
    case .array: 12
    }
  }
}

/// A value of GGUF metadata.
public enum GGUFValue: Sendable, Equatable {
  case uint8(UInt8)
  case int8(Int8)
  case uint16(UInt16)
  case int16(Int16)
  case uint32(UInt32)
  case int32(Int32)
  case float32(Float)
  case bool(Bool)
  case string(String)
  case strings([String])
  case numbers(GGUFNumbers)
  case uint64(UInt64)
  case int64(Int64)
  case float64(Double)

  /// Any integer that an Int holds.
  public var integer: Int? {
    switch self {
    case .uint8(let value): Int(value)
    case .int8(let value): Int(value)
    case .uint16(let value): Int(value)
    case .int16(let value): Int(value)
    case .uint32(let value): Int(value)
    case .int32(let value): Int(value)
    case .uint64(let value): Int(exactly: value)
    case .int64(let value): Int(value)
    case .float32, .bool, .string, .strings, .numbers, .float64: nil
    }
  }

  /// A floating-point value. A Float becomes the double of its shortest decimal form, which gives `1e-6` and its
  /// like back as the configuration had them before they were rounded.
  public var double: Double? {
    switch self {
    case .float32(let value): value.isFinite ? Double("\(value)") : Double(value)
    case .float64(let value): value
    default: nil
    }
  }

  public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  public var string: String? { if case .string(let value) = self { value } else { nil } }
  public var strings: [String]? { if case .strings(let value) = self { value } else { nil } }
  public var numbers: GGUFNumbers? { if case .numbers(let value) = self { value } else { nil } }

  /// What stands there, short enough for a message.
  var shown: String {
    switch self {
    case .string(let value): CheckpointError.short("\"\(value)\"")
    case .strings(let values): "a list of \(values.count) strings"
    case .numbers(let values): "a list of \(values.count) numbers"
    case .float32(let value): "\(value)"
    case .float64(let value): "\(value)"
    case .bool(let value): "\(value)"
    case .uint64(let value): "\(value)"
    default: "\(integer ?? 0)"
    }
  }
}

/// An array of numbers (or truth values) as it lies in the file: large ones cost no more than there.
public struct GGUFNumbers: Sendable, Equatable {
  public let type: GGUFValueType
  let bytes: [UInt8]

  init(type: GGUFValueType, bytes: [UInt8]) {
    precondition(type != .string && type != .array && bytes.count % type.leastBytes == 0)
    self.type = type
    self.bytes = bytes
  }

  public init(_ values: [Int32]) {
    self.init(type: .int32, bytes: values.flatMap { withUnsafeBytes(of: $0.littleEndian, Array.init) })
  }

  public var count: Int { bytes.count / type.leastBytes }

  /// The elements as integers; nil for floating-point ones, or where one does not fit.
  public var integers: [Int]? {
    func all<Number: FixedWidthInteger>(_: Number.Type) -> [Int]? {
      var result: [Int] = []
      result.reserveCapacity(count)
      let fits = bytes.withUnsafeBytes { bytes in
        for offset in stride(from: 0, to: bytes.count, by: MemoryLayout<Number>.size) {
          let number = Number(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Number.self))
          guard let value = Int(exactly: number) else { return false }
          result.append(value)
        }
        return true
      }
      return fits ? result : nil
    }
    switch type {
    case .uint8, .bool: return all(UInt8.self)
    case .int8: return all(Int8.self)
    case .uint16: return all(UInt16.self)
    case .int16: return all(Int16.self)
    case .uint32: return all(UInt32.self)
    case .int32: return all(Int32.self)
    case .uint64: return all(UInt64.self)
    case .int64: return all(Int64.self)
    case .float32, .float64, .string, .array: return nil
    }
  }
}

/// The metadata of a GGUF file, in its order, keys distinct.
public struct GGUFMetadata: Sendable, Equatable {
  public private(set) var pairs: [(key: String, value: GGUFValue)] = []
  private var places: [String: Int] = [:]

  public init() {}

  public subscript(_ key: String) -> GGUFValue? { places[key].map { pairs[$0].value } }

  /// - Returns: false where the key is there already.
  public mutating func append(_ key: String, _ value: GGUFValue) -> Bool {
    guard places.updateValue(pairs.count, forKey: key) == nil else { return false }
    pairs.append((key, value))
    return true
  }

  public static func == (left: GGUFMetadata, right: GGUFMetadata) -> Bool {
    left.pairs.elementsEqual(right.pairs, by: ==)
  }
}
