import Foundation

/// Which experts ran for each token of a run, in each layer.
///
/// After the header's line come blocks, one for each step: rows, rows of decode among them (at the front), both 32-bit
/// little-endian; `[rows, layers, k]` expert numbers, ascending within a layer, of one byte or, above 256 experts, two
/// (little-endian); CRC-32 of all that, 32-bit little-endian. A block that is not whole at the end of the file was being
/// written when its writer died.
public struct RoutingRecord: Sendable, Equatable {
  public struct Step: Sendable, Equatable {
    /// Of the record's tokens.
    public var tokens: Range<Int>
    /// How many of them, at the front, were generated before; the others were read as part of a prompt.
    public var decodeTokens: Int
  }

  public let header: RoutingHeader
  public let steps: [Step]
  /// `[tokens, layers, k]`
  public let experts: [UInt16]
  /// Whether the last block was not whole.
  public let isCut: Bool

  public var tokens: Int { steps.last?.tokens.upperBound ?? 0 }

  /// The experts of a token in a layer, ascending.
  ///
  /// - Parameter layer: its position among the layers with experts.
  public func experts(ofToken token: Int, layer: Int) -> ArraySlice<UInt16> {
    let k = header.expertsPerToken
    let start = (token * header.layers.count + layer) * k
    return experts[start..<start + k]
  }

  private static let mostBytes = 4 << 30

  /// - Throws: ``RoutingRecordError``.
  public init(path: String) throws(RoutingRecordError) {
    let data: Data
    do {
      data = try Data(contentsOf: URL(filePath: path), options: .alwaysMapped)
    } catch {
      throw RoutingRecordError(
        path, "file", expected: "a readable file", found: UnreadableFile.found(at: path),
        hint: RoutingRecordError.origin)
    }
    guard data.count <= Self.mostBytes else {
      throw RoutingRecordError(path, "size", expected: "at most \(Self.mostBytes) bytes", found: "\(data.count)")
    }
    try self.init(Array(data), file: path)
  }

  /// - Parameter file: for errors.
  public init(_ bytes: [UInt8], file: String) throws(RoutingRecordError) {
    guard let end = bytes.prefix(RoutingHeader.mostBytes).firstIndex(of: 10) else {
      throw RoutingRecordError(
        file, "header", expected: "a line of JSON", found: "none", hint: RoutingRecordError.origin)
    }
    header = try RoutingHeader(line: Array(bytes[..<end]), file: file)
    var reader = BlockReader(file: file, header: header, bytes: bytes, place: end + 1)
    reader.experts.reserveCapacity((bytes.count - end) / header.numberBytes)
    while try reader.next() {}
    (steps, experts, isCut) = (reader.steps, reader.experts, reader.place < bytes.count)
  }
}

private struct BlockReader {
  let file: String
  let header: RoutingHeader
  let bytes: [UInt8]
  var place: Int
  var steps: [RoutingRecord.Step] = []
  var experts: [UInt16] = []

  /// Reads a block.
  ///
  /// - Returns: false at the end, or where the rest is no whole block.
  mutating func next() throws(RoutingRecordError) -> Bool {
    guard bytes.count - place >= 8 else { return false }
    let (rows, decode) = (number(at: place), number(at: place + 4))
    let (file, step) = (file, steps.count)
    func wrong(_ field: String, _ expected: String, _ found: String) -> RoutingRecordError {
      RoutingRecordError(file, "step \(step): \(field)", expected: expected, found: found)
    }
    guard (1...1 << 24).contains(rows) else { throw wrong("rows", "1 to \(1 << 24)", "\(rows)") }
    guard decode <= rows else { throw wrong("rows of decode", "at most \(rows)", "\(decode)") }
    let end = place + 8 + rows * header.tokenBytes
    guard bytes.count >= end + 4 else { return false }
    var checksum = Checksum()
    checksum.update(bytes[place..<end])
    guard checksum.value == UInt32(number(at: end)) else {
      throw wrong("checksum", "that of the step", "another: the file is damaged")
    }
    try take(place + 8..<end, wrong)
    let first = steps.last?.tokens.upperBound ?? 0
    steps.append(.init(tokens: first..<first + rows, decodeTokens: decode))
    place = end + 4
    return true
  }

  private mutating func take(
    _ range: Range<Int>, _ wrong: (String, String, String) -> RoutingRecordError
  ) throws(RoutingRecordError) {
    let k = header.expertsPerToken
    var last = -1
    for (index, position) in stride(from: range.lowerBound, to: range.upperBound, by: header.numberBytes).enumerated() {
      let expert = Int(bytes[position]) + (header.numberBytes == 2 ? Int(bytes[position + 1]) << 8 : 0)
      if index % k == 0 { last = -1 }
      guard expert > last, expert < header.experts else {
        throw wrong("experts", "\(k) different ones below \(header.experts), ascending", "\(expert) behind \(last)")
      }
      last = expert
      experts.append(UInt16(expert))
    }
  }

  private func number(at place: Int) -> Int { (0..<4).reduce(0) { $0 | Int(bytes[place + $1]) << (8 * $1) } }
}
