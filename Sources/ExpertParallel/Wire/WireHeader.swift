import Kernels

#if _endian(big)
  #error("The wire format is little-endian and read in place.")
#endif

/// The kinds of messages. Values are part of the wire format.
///
/// | kind                | from → to            | payload                                                     |
/// |---------------------|----------------------|-------------------------------------------------------------|
/// | activations         | coordinator → router | pad to 64, rows f32 `[tokens, hidden]`                      |
/// | routing             | router → coordinator | weights f32 `[tokens, k]`, logits f32 `[tokens, E]` if      |
/// |                     |                      | flagged, experts u16 `[tokens, k]`                          |
/// | dispatch            | router → host        | token u32 `[rows]`, asked slots (bits) u32 `[rows]`,        |
/// |                     |                      | weights f32 `[rows, k]` (0 unless asked), experts u16       |
/// |                     |                      | `[rows, k]`, pad to 64, rows `[rows, hidden]` as encoded    |
/// | partialSums         | host → coordinator   | token u32 `[rows]`, first and end slot u16 `[rows, 2]`,     |
/// |                     |                      | pad to 64, rows f32 `[rows, hidden]`                        |
/// | slice               | coordinator → rank   | part u32 (``SlicedPart``), pad to 64, rows                  |
/// |                     | with slices          | `[tokens, columns]` as encoded                              |
/// | sliceRows           | rank with slices →   | part u32, pad to 64, rows f32 `[tokens, rows here]`         |
/// |                     | coordinator          |                                                             |
/// | hello               | rank → coordinator   | JSON of ``Agreement``                                       |
/// | welcome, ready,     | see ``Handshake``,   | none                                                        |
/// | statisticsRequest,  | ``RankNode``         |                                                             |
/// | shutdown            |                      |                                                             |
/// | statistics          | rank → coordinator   | JSON of ``RankStatistics``                                  |
/// | announcement        | coordinator → all    | JSON, see ``Announcement``                                  |
/// | fault               | any → coordinator,   | text, UTF-8                                                 |
/// |                     | coordinator → all    |                                                             |
///
/// Every message starts with this header, 32 bytes, little-endian like all that follows:
///
/// | offset | type | field                                                                                |
/// |--------|------|--------------------------------------------------------------------------------------|
/// | 0      | u32  | magic "FLOT"                                                                         |
/// | 4      | u8   | version of the wire format                                                           |
/// | 5      | u8   | kind                                                                                 |
/// | 6      | u16  | layer                                                                                |
/// | 8      | u32  | epoch: the session it belongs to                                                     |
/// | 12     | u32  | batch: the dispatch, or divided product, of the fabric it belongs to                 |
/// | 16     | u32  | first token of the batch that the message is about                                   |
/// | 20     | u32  | number of tokens that it is about; token numbers in payloads count from the first    |
/// | 24     | u32  | rows in the payload (0 in routing and service messages)                              |
/// | 28     | u16  | flags, bit 0: logits are wanted (activations) or present (routing)                   |
/// | 30     | u8   | encoding of rows to a host: 0 = f32, 1 = q8 (`EncodedRows`); 0 in other messages     |
/// | 31     | u8   | 0                                                                                    |
public enum MessageKind: UInt8, Sendable, CaseIterable {
  case activations = 1
  case routing = 2
  case dispatch = 3
  case partialSums = 4
  case slice = 5
  case sliceRows = 6
  case hello = 16
  case welcome = 17
  case ready = 18
  case statisticsRequest = 19
  case statistics = 20
  case shutdown = 21
  case fault = 22
  case announcement = 23
}

/// The first 32 bytes of a message; see ``MessageKind``.
package struct WireHeader: Equatable, Sendable {
  package static let byteCount = 32
  static let magic: UInt32 = 0x544F_4C46  // "FLOT" in memory
  static let version: UInt8 = 3

  package var kind: MessageKind
  package var layer = 0
  package var epoch: UInt32
  package var batch: UInt32 = 0
  package var firstToken = 0
  package var tokens = 0
  package var rows = 0
  package var hasLogits = false
  package var encoding = ActivationEncoding.f32

  package init(_ kind: MessageKind, epoch: UInt32) {
    self.kind = kind
    self.epoch = epoch
  }

  /// Answers go under the same layer, batch and tokens.
  func answering(as kind: MessageKind, rows: Int = 0) -> WireHeader {
    var answer = self
    answer.kind = kind
    answer.rows = rows
    if kind != .routing { answer.hasLogits = false }
    answer.encoding = .f32
    return answer
  }

  func write(to message: Message) {
    let base = message.base
    base.storeBytes(of: Self.magic, as: UInt32.self)
    base.storeBytes(of: Self.version, toByteOffset: 4, as: UInt8.self)
    base.storeBytes(of: kind.rawValue, toByteOffset: 5, as: UInt8.self)
    base.storeBytes(of: UInt16(layer), toByteOffset: 6, as: UInt16.self)
    base.storeBytes(of: epoch, toByteOffset: 8, as: UInt32.self)
    base.storeBytes(of: batch, toByteOffset: 12, as: UInt32.self)
    base.storeBytes(of: UInt32(firstToken), toByteOffset: 16, as: UInt32.self)
    base.storeBytes(of: UInt32(tokens), toByteOffset: 20, as: UInt32.self)
    base.storeBytes(of: UInt32(rows), toByteOffset: 24, as: UInt32.self)
    base.storeBytes(of: hasLogits ? 1 : 0, toByteOffset: 28, as: UInt16.self)
    base.storeBytes(of: encoding == .q8 ? 1 : 0, toByteOffset: 30, as: UInt16.self)
  }

  /// Reads and checks what can be checked without the payload and the shape.
  package init(reading message: Message) throws(WireError) {
    func refuse(_ field: String, _ expected: String, _ found: String) -> WireError {
      WireError(source: message.source, kind: nil, field: field, expected: expected, found: found)
    }
    guard message.count >= Self.byteCount else {
      throw refuse("length", "at least \(Self.byteCount) bytes", "\(message.count)")
    }
    let bytes = message.bytes
    let magic = bytes.load(as: UInt32.self)
    guard magic == Self.magic else { throw refuse("magic", "FLOT", hex(magic)) }
    guard bytes[4] == Self.version else {
      throw refuse("version", "\(Self.version) (the same flotilla on every rank)", "\(bytes[4])")
    }
    guard let kind = MessageKind(rawValue: bytes[5]) else { throw refuse("kind", "a known one", "\(bytes[5])") }
    self.kind = kind
    layer = Int(bytes.load(fromByteOffset: 6, as: UInt16.self))
    epoch = bytes.load(fromByteOffset: 8, as: UInt32.self)
    batch = bytes.load(fromByteOffset: 12, as: UInt32.self)
    firstToken = Int(bytes.load(fromByteOffset: 16, as: UInt32.self))
    tokens = Int(bytes.load(fromByteOffset: 20, as: UInt32.self))
    rows = Int(bytes.load(fromByteOffset: 24, as: UInt32.self))
    let flags = bytes.load(fromByteOffset: 28, as: UInt16.self)
    hasLogits = flags & 1 != 0
    guard flags & ~1 == 0 else { throw refuse("flags", "0 or 1", "\(flags)") }
    guard bytes[30] <= 1 else { throw refuse("encoding", "0 (f32) or 1 (q8)", "\(bytes[30])") }
    encoding = bytes[30] == 1 ? .q8 : .f32
    guard bytes[31] == 0 else { throw refuse("byte 31", "0", "\(bytes[31])") }
    guard firstToken + tokens <= Int(UInt32.max) else {
      throw refuse("tokens", "a range that ends below 2^32", "\(firstToken) + \(tokens)")
    }
  }
}

/// A message that is not what its sender should have sent.
public struct WireError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The rank that sent it.
  public var source: Int
  /// Nil where not even that could be read.
  public var kind: MessageKind?
  public var field: String
  public var expected: String
  public var found: String

  public init(source: Int, kind: MessageKind?, field: String, expected: String, found: String) {
    self.source = source
    self.kind = kind
    self.field = field
    self.expected = expected
    self.found = found
  }

  public var description: String {
    let name = kind.map { "\($0)" } ?? "unreadable"
    return "\(name) message from rank \(source): \(field): expected \(expected), found \(found)"
  }
}

func hex(_ value: UInt32) -> String { "0x" + String(value, radix: 16) }
