import StrictJSON

/// The header of a safetensors file: eight bytes of length, then a JSON object, then the data.
public struct SafetensorsHeader: Sendable {
  /// Tensors in the order of their data.
  public let tensors: [TensorInfo]
  /// The strings of `__metadata__`.
  public let metadata: [String: String]
  /// Where the JSON lies in the file.
  public let jsonRange: Range<Int>

  /// The format's own limit, 100 MB.
  public static let lengthLimit = 100_000_000

  /// Parses and checks everything that the format demands: length, JSON without duplicate keys, types, sizes,
  /// offsets without overlap, hole or remainder. Reads no data.
  ///
  /// - Parameter bytes: the whole file.
  /// - Throws: ``CheckpointError`` naming the tensor.
  public init(_ bytes: UnsafeRawBufferPointer, file: String) throws {
    jsonRange = try SafetensorsHeader.jsonRange(bytes, file: file)
    let json = try parseJSON(UnsafeRawBufferPointer(rebasing: bytes[jsonRange]), file: file, subject: "header")
    guard let object = json.object else {
      throw SafetensorsHeader.damaged(file, "header", "an object of tensors", ConfigurationFields.describe(json))
    }
    var metadata: [String: String] = [:]
    var tensors: [TensorInfo] = []
    tensors.reserveCapacity(object.members.count)
    for (name, value) in object.pairs {
      if name == "__metadata__" {
        metadata = try SafetensorsHeader.metadata(value, file: file)
      } else {
        tensors.append(
          try SafetensorsHeader.tensor(name, value, dataStart: jsonRange.upperBound, file: file))
      }
    }
    tensors.sort {
      ($0.byteRange.lowerBound, $0.byteRange.upperBound) < ($1.byteRange.lowerBound, $1.byteRange.upperBound)
    }
    try SafetensorsHeader.checkCoverage(tensors, from: jsonRange.upperBound, size: bytes.count, file: file)
    self.tensors = tensors
    self.metadata = metadata
  }

  static func damaged(_ file: String, _ subject: String, _ expected: String, _ found: String) -> CheckpointError {
    CheckpointError(
      file: file, subject: subject, expected: expected, found: CheckpointError.short(found),
      hint: "The file is damaged or no safetensors file: fetch it again.")
  }

  private static func jsonRange(_ bytes: UnsafeRawBufferPointer, file: String) throws -> Range<Int> {
    guard bytes.count >= 8 else {
      throw damaged(file, "file size", "at least 8 bytes", "\(bytes.count) bytes")
    }
    if bytes.prefix(4).elementsEqual("GGUF".utf8) {
      throw CheckpointError(
        file: file, subject: "file", expected: "a safetensors file", found: "a GGUF file",
        hint: "It has the wrong name: call it .gguf and give its path.")
    }
    let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
    guard length <= UInt64(lengthLimit) else {
      throw damaged(file, "header length", "at most \(lengthLimit) bytes", "\(length) bytes")
    }
    let end = 8 + Int(length)
    guard end <= bytes.count else {
      throw truncated(file, expected: end, orMore: true, found: bytes.count)
    }
    guard length >= 2, bytes[8] == UInt8(ascii: "{") else {
      throw damaged(file, "header", "a JSON object", "something else")
    }
    return 8..<end
  }

  private static func truncated(_ file: String, expected: Int, orMore: Bool, found: Int) -> CheckpointError {
    CheckpointError(
      file: file, subject: "file size", expected: "\(expected) bytes\(orMore ? " or more" : "")",
      found: "\(found) bytes", hint: "The file is truncated: fetch it again.")
  }

  private static func metadata(_ value: JSONValue, file: String) throws -> [String: String] {
    guard let object = value.object else {
      throw damaged(file, "__metadata__", "an object of strings", ConfigurationFields.describe(value))
    }
    var metadata: [String: String] = [:]
    for (key, value) in object.pairs {
      guard let text = value.string else {
        throw damaged(
          file, "__metadata__", "an object of strings",
          "\(ConfigurationFields.describe(value)) at \(CheckpointError.short(key))")
      }
      metadata[key] = text
    }
    return metadata
  }

  /// One entry: `{"dtype": …, "shape": […], "data_offsets": [begin, end]}`.
  private static func tensor(
    _ name: String, _ value: JSONValue, dataStart: Int, file: String
  ) throws -> TensorInfo {
    func wrong(_ expected: String, _ found: String) -> CheckpointError {
      damaged(file, "tensor \(CheckpointError.short(name))", expected, found)
    }
    func list(_ field: String, _ expected: String) throws -> [Int] {
      guard let member = value.object?[field] else { throw wrong(expected, "no \(field)") }
      guard let items = member.array else { throw wrong(expected, ConfigurationFields.describe(member)) }
      return try items.map { item in
        guard let number = item.int, number >= 0 else {
          throw wrong(expected, "\(ConfigurationFields.describe(item)) in \(field)")
        }
        return number
      }
    }
    guard value.object != nil else {
      throw wrong("an object with dtype, shape and data_offsets", ConfigurationFields.describe(value))
    }
    let typeName = value.object?["dtype"]
    guard let type = typeName?.string.flatMap(ElementType.init(rawValue:)), !type.isBlock else {
      throw wrong(
        "a dtype among \(ElementType.plain.map(\.rawValue).joined(separator: ", "))",
        typeName.map(ConfigurationFields.describe) ?? "no dtype")
    }
    let shape = try list("shape", "a shape of integers from 0")
    let offsets = try list("data_offsets", "two data_offsets from 0")
    guard offsets.count == 2 else { throw wrong("two data_offsets", "\(offsets.count)") }
    guard offsets[0] <= offsets[1] else {
      throw wrong("data_offsets in ascending order", "\(offsets[0]) to \(offsets[1])")
    }
    guard let count = elementCount(shape) else {
      throw wrong("a shape whose size fits 64 bits", "\(shape)")
    }
    let (size, overflow) = count.multipliedReportingOverflow(by: type.bytes)
    guard !overflow, size == offsets[1] - offsets[0] else {
      throw wrong(
        overflow ? "a shape whose size fits 64 bits" : "\(size) bytes for \(type.rawValue) \(shape)",
        "\(offsets[1] - offsets[0]) bytes in data_offsets")
    }
    let (end, past) = offsets[1].addingReportingOverflow(dataStart)
    guard !past else { throw wrong("data_offsets inside the file", "\(offsets[0]) to \(offsets[1])") }
    return TensorInfo(
      name: name, type: type, shape: shape, file: file, byteRange: (offsets[0] + dataStart)..<end)
  }

  private static func checkCoverage(_ tensors: [TensorInfo], from start: Int, size: Int, file: String) throws {
    var end = start
    for (index, tensor) in tensors.enumerated() {
      let begin = tensor.byteRange.lowerBound
      if begin < end {
        throw damaged(
          file, "tensor \(CheckpointError.short(tensor.name))",
          "data from offset \(end - start), after tensor \(CheckpointError.short(tensors[index - 1].name))",
          "overlapping data from offset \(begin - start)")
      }
      if begin > end {
        throw damaged(
          file, "tensor \(CheckpointError.short(tensor.name))", "data from offset \(end - start)",
          "a hole up to offset \(begin - start)")
      }
      end = tensor.byteRange.upperBound
    }
    if end > size { throw truncated(file, expected: end, orMore: false, found: size) }
    if end < size {
      throw damaged(file, "file size", "\(end) bytes", "\(size) bytes, the last ones of no tensor")
    }
  }
}
