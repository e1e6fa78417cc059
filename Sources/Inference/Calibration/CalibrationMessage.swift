import ExpertParallel
import Foundation

/// What ranks say to each other while they are measured: 8 bytes of head, and JSON or nothing that matters behind.
enum CalibrationMessage {
  enum Kind: UInt32 {
    /// To be sent back as `pong`.
    case ping = 1
    case pong = 2
    case order = 3
    case answer = 4
    /// Nothing more comes.
    case end = 5
    /// Its head is to be sent back as `pong`.
    case probe = 6
    /// To be taken while this rank computes; its head is to be sent back as `taken`.
    case load = 7
    case taken = 8
  }

  static let headBytes = 8
  /// "FCAL"
  private static let mark: UInt32 = 0x4c41_4346

  static func write(_ kind: Kind, to message: Message) {
    message.base.storeBytes(of: mark.littleEndian, as: UInt32.self)
    message.base.storeBytes(of: kind.rawValue.littleEndian, toByteOffset: 4, as: UInt32.self)
  }

  static func kind(of message: Message) throws(CalibrationFailure) -> Kind {
    guard message.count >= headBytes, UInt32(littleEndian: message.base.load(as: UInt32.self)) == mark,
      let kind = Kind(rawValue: UInt32(littleEndian: message.base.load(fromByteOffset: 4, as: UInt32.self)))
    else {
      throw CalibrationFailure(
        "a message of \(message.count) bytes from rank \(message.source): expected one of a calibration, found another. "
          + "Hint: install the same version on every node")
    }
    return kind
  }

  static func send(_ kind: Kind, _ payload: Data, to rank: Int, over exchange: any Exchange) throws {
    let message = exchange.message(capacity: headBytes + payload.count)
    message.count = headBytes + payload.count
    write(kind, to: message)
    payload.withUnsafeBytes {
      UnsafeMutableRawBufferPointer(rebasing: message.mutableBytes[headBytes...]).copyMemory(from: $0)
    }
    try exchange.send(message, to: rank)
  }

  static func decode<Value: Decodable>(_ type: Value.Type, from message: Message) throws(CalibrationFailure) -> Value {
    guard let value = try? JSONDecoder().decode(type, from: Data(message.bytes[headBytes...])) else {
      throw CalibrationFailure(
        "a message from rank \(message.source): expected the JSON of a calibration, found other bytes. "
          + "Hint: install the same version on every node")
    }
    return value
  }
}

/// What the first rank asks of another.
enum CalibrationOrder: Codable {
  /// Measure your machine, alone.
  case machine(CalibrationOptions, ranks: [Int])
  /// Send messages of these sizes to and fro, or the larger ones in one direction only.
  case link(to: Int, sizes: [Int], seconds: Double, isOneWay: Bool)
  /// Tell what has crossed your network interfaces.
  case counters
  /// Get memory to read, as one of so many ranks of your host.
  case prepare(CalibrationOptions, sharers: Int, threads: Int)
  /// Read it for so many seconds.
  case read(seconds: Double)
  /// Get ready to compute with all threads.
  case prepareLoad(CalibrationOptions)
  /// Compute for so many seconds, and meanwhile send messages, if somebody is named.
  case load(seconds: Double, to: Int?)
}

/// What comes back.
enum CalibrationAnswer: Codable {
  case machine(Calibration.Host)
  case link([Calibration.MessageSpeed])
  case counters([InterfaceCount])
  case ready
  /// Bytes a second.
  case read(Double)
  case loaded(Calibration.LoadSample)
  case failed(String)
}
