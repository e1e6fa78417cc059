import Foundation
import Synchronization

/// Writes a GGUF file (version 3) of tensors declared beforehand, in any order and from any thread.
///
/// The file appears under its name only when ``finish()`` finds every byte written; an abandoned writer leaves
/// nothing.
public final class GGUFWriter: Sendable {
  /// A tensor to come.
  public struct Declaration: Sendable, Equatable {
    public let name: String
    public let type: GGMLType
    /// ggml's order: the length of a row first.
    public let dimensions: [Int]

    public init(_ name: String, _ type: GGMLType, _ dimensions: [Int]) {
      self.name = name
      self.type = type
      self.dimensions = dimensions
    }
  }

  private let file: PendingFile
  private let places: [String: Range<Int>]
  private let dataBytes: Int
  private let written = Mutex(0)

  /// Bytes of the finished file.
  public let fileBytes: Int

  /// Checks the declarations and the disk's free space, and writes the header.
  ///
  /// - Throws: ``CheckpointError``.
  public init(_ url: URL, metadata: GGUFMetadata, tensors: [Declaration]) throws {
    let (header, placed) = try GGUFWriter.header(metadata, tensors, file: url.lastPathComponent)
    places = Dictionary(uniqueKeysWithValues: placed.map { ($0.name, $0.byteRange) })
    dataBytes = placed.reduce(0) { $0 + $1.byteRange.count }
    fileBytes = GGUFWriter.padded(placed.last?.byteRange.upperBound ?? header.count)
    file = try PendingFile(url, bytes: fileBytes)
    try header.withUnsafeBytes { try file.write($0, at: 0) }
  }

  /// Writes `bytes` of the tensor `name` from `offset` on, in bytes. Every byte is written once, by whoever.
  public func write(_ bytes: UnsafeRawBufferPointer, to name: String, at offset: Int = 0) throws(CheckpointError) {
    guard let place = places[name] else { preconditionFailure("\(name) was not declared") }
    precondition(offset >= 0 && bytes.count <= place.count - offset, "past the end of \(name)")
    try file.write(bytes, at: place.lowerBound + offset)
    written.withLock { $0 += bytes.count }
  }

  /// Gives the file its name.
  public func finish() throws {
    let written = written.withLock { $0 }
    precondition(written == dataBytes, "\(written) of \(dataBytes) bytes written")
    try file.finish()
  }

  private static func padded(_ size: Int) -> Int {
    (size + GGUFHeader.defaultAlignment - 1) / GGUFHeader.defaultAlignment * GGUFHeader.defaultAlignment
  }

  /// Bytes of the finished file.
  static func fileBytes(_ metadata: GGUFMetadata, _ tensors: [Declaration], file: String) throws -> Int {
    let (header, placed) = try header(metadata, tensors, file: file)
    return padded(placed.last?.byteRange.upperBound ?? header.count)
  }

  /// Header bytes up to the data, and the tensors' places in the file. What is not checked by making it is checked
  /// by reading it.
  private static func header(
    _ metadata: GGUFMetadata, _ tensors: [Declaration], file: String
  ) throws -> ([UInt8], [GGUFTensor]) {
    var out = GGUFHeader.magic
    out.append(number: UInt32(GGUFHeader.version))
    out.append(number: UInt64(tensors.count))
    out.append(number: UInt64(metadata.pairs.count))
    for (key, value) in metadata.pairs {
      out.append(text: key)
      out.append(value)
    }
    let checker = GGUFCursor(UnsafeRawBufferPointer(start: nil, count: 0), file: file)
    var offset = 0
    var placed: [(Declaration, Range<Int>)] = []
    var names: Set<String> = []
    for tensor in tensors {
      precondition((1...GGUFHeader.longestName).contains(tensor.name.utf8.count), "a name of \(tensor.name)")
      precondition(names.insert(tensor.name).inserted, "\(tensor.name) was declared twice")
      precondition((1...GGUFHeader.mostDimensions).contains(tensor.dimensions.count))
      let size = try GGUFHeader.size(tensor.dimensions, tensor.type, "tensor \(tensor.name)", checker)
      let (end, past) = offset.addingReportingOverflow(size)
      guard !past, end < Int.max - out.count - (1 << 32) else {
        throw checker.damaged("tensor \(tensor.name)", "a size that fits 63 bits", "\(tensor.dimensions)")
      }
      out.append(text: tensor.name)
      out.append(number: UInt32(tensor.dimensions.count))
      for dimension in tensor.dimensions { out.append(number: UInt64(dimension)) }
      out.append(number: tensor.type.rawValue)
      out.append(number: UInt64(offset))
      placed.append((tensor, offset..<end))
      offset = padded(end)
    }
    out.append(contentsOf: [UInt8](repeating: 0, count: padded(out.count) - out.count))
    return (
      out,
      placed.map { tensor, range in
        GGUFTensor(
          name: tensor.name, type: tensor.type, dimensions: tensor.dimensions,
          byteRange: range.lowerBound + out.count..<range.upperBound + out.count)
      }
    )
  }
}

extension [UInt8] {
  fileprivate mutating func append(number: some FixedWidthInteger) {
    Swift.withUnsafeBytes(of: number.littleEndian) { append(contentsOf: $0) }
  }

  fileprivate mutating func append(text: String) {
    append(number: UInt64(text.utf8.count))
    append(contentsOf: text.utf8)
  }

  private mutating func append(_ type: GGUFValueType) { append(number: type.rawValue) }

  /// The type, then the value.
  fileprivate mutating func append(_ value: GGUFValue) {
    switch value {
    case .uint8(let value): put(.uint8, value)
    case .int8(let value): put(.int8, value)
    case .uint16(let value): put(.uint16, value)
    case .int16(let value): put(.int16, value)
    case .uint32(let value): put(.uint32, value)
    case .int32(let value): put(.int32, value)
    case .uint64(let value): put(.uint64, value)
    case .int64(let value): put(.int64, value)
    case .float32(let value): put(.float32, value.bitPattern)
    case .float64(let value): put(.float64, value.bitPattern)
    case .bool(let value): put(.bool, UInt8(value ? 1 : 0))
    case .string(let value):
      append(.string)
      append(text: value)
    case .strings(let values):
      append(.array)
      append(.string)
      append(number: UInt64(values.count))
      for value in values { append(text: value) }
    case .numbers(let values):
      append(.array)
      append(values.type)
      append(number: UInt64(values.count))
      append(contentsOf: values.bytes)
    }
  }

  private mutating func put(_ type: GGUFValueType, _ value: some FixedWidthInteger) {
    append(type)
    append(number: value)
  }
}
