import Foundation
import StrictJSON
import Synchronization

/// Writes a safetensors file of tensors declared beforehand, in any order and from any thread.
///
/// The file appears under its name only when ``finish()`` finds every byte written; until then it lies beside it
/// under a temporary name, and an abandoned writer removes that.
public final class SafetensorsWriter: Sendable {
  /// A tensor to come.
  public struct Declaration: Sendable, Equatable {
    public let name: String
    public let type: ElementType
    public let shape: [Int]

    public init(_ name: String, _ type: ElementType, _ shape: [Int]) {
      self.name = name
      self.type = type
      self.shape = shape
    }
  }

  private struct State {
    var written = 0
    var cursor = 0
  }

  private let file: PendingFile
  private let places: [String: Range<Int>]
  private let dataStart: Int
  private let state = Mutex(State())

  /// Bytes of the finished file.
  public let fileBytes: Int

  /// Checks the declarations and the disk's free space, and writes the header.
  ///
  /// - Throws: ``CheckpointError``.
  public init(
    _ url: URL, tensors: [Declaration], metadata: KeyValuePairs<String, String> = ["format": "pt"]
  ) throws {
    let (header, ranges) = try SafetensorsWriter.header(tensors, metadata, file: url.lastPathComponent)
    dataStart = header.count
    places = Dictionary(uniqueKeysWithValues: zip(tensors.map(\.name), ranges))
    fileBytes = header.count + (ranges.last?.upperBound ?? 0)
    file = try PendingFile(url, bytes: fileBytes)
    try header.withUnsafeBytes { try file.write($0, at: 0) }
  }

  /// Writes `bytes` of the tensor `name` from `offset` on, in bytes. Every byte is written once, by whoever.
  public func write(
    _ bytes: UnsafeRawBufferPointer, to name: String, at offset: Int = 0
  ) throws(CheckpointError) {
    guard let place = places[name] else { preconditionFailure("\(name) was not declared") }
    precondition(offset >= 0 && bytes.count <= place.count - offset, "past the end of \(name)")
    try file.write(bytes, at: dataStart + place.lowerBound + offset)
    state.withLock { $0.written += bytes.count }
  }

  /// Writes `bytes` after those of the last call, through the tensors in the order of their declaration.
  public func append(_ bytes: UnsafeRawBufferPointer) throws(CheckpointError) {
    let start = state.withLock { state in
      defer { state.cursor += bytes.count }
      return state.cursor
    }
    precondition(bytes.count <= fileBytes - dataStart - start, "past the last tensor")
    try file.write(bytes, at: dataStart + start)
    state.withLock { $0.written += bytes.count }
  }

  /// Gives the file its name.
  public func finish() throws {
    let written = state.withLock { $0.written }
    precondition(written == fileBytes - dataStart, "\(written) of \(fileBytes - dataStart) bytes written")
    try file.finish()
  }

  /// Header bytes, padded so that data start at a multiple of 8, and the tensors' places in the data.
  static func header(
    _ tensors: [Declaration], _ metadata: KeyValuePairs<String, String>, file: String
  ) throws -> ([UInt8], [Range<Int>]) {
    var members: [JSONObject.Member] = []
    if !metadata.isEmpty {
      let strings = metadata.map { (JSONString($0.key), JSONValue.text($0.value)) }
      guard let object = JSONObject(strings) else { preconditionFailure("a metadata key was given twice") }
      members.append(("__metadata__", .object(object)))
    }
    var ranges: [Range<Int>] = []
    var end = 0
    for tensor in tensors {
      guard let count = elementCount(tensor.shape),
        case let (bytes, big) = count.multipliedReportingOverflow(by: tensor.type.bytes), !big,
        case let (next, past) = end.addingReportingOverflow(bytes), !past
      else {
        throw CheckpointError.tensor(
          tensor.name, file: file, expected: "a size that fits 64 bits", found: "\(tensor.shape)",
          hint: "No disk holds such a tensor.")
      }
      ranges.append(end..<next)
      let entry = JSONValue.members([
        "dtype": .text(tensor.type.rawValue), "shape": .array(tensor.shape.map(JSONValue.int)),
        "data_offsets": .array([.int(end), .int(next)]),
      ])
      members.append((JSONString(tensor.name), entry))
      end = next
    }
    guard let object = JSONObject(members) else {
      throw CheckpointError(
        file: file, subject: "header", expected: "distinct tensor names", found: "a name twice",
        hint: "Every tensor of a file needs its own name.")
    }
    var json = JSONText.bytes(.object(object))
    while json.count % 8 != 0 { json.append(32) }
    guard json.count <= SafetensorsHeader.lengthLimit else {
      throw SafetensorsHeader.damaged(
        file, "header length", "at most \(SafetensorsHeader.lengthLimit) bytes", "\(json.count) bytes")
    }
    return (withUnsafeBytes(of: UInt64(json.count).littleEndian, Array.init) + json, ranges)
  }
}
