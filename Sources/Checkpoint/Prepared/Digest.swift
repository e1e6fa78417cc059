import Crypto
import Foundation

/// A SHA-256 hash.
public struct Digest: Sendable, Hashable, CustomStringConvertible {
  public let bytes: [UInt8]

  static let count = 32
  static let zero = Digest(bytes: [UInt8](repeating: 0, count: count))

  private init(bytes: [UInt8]) { self.bytes = bytes }

  /// Of what was hashed piece by piece.
  public init(_ hash: SHA256.Digest) { bytes = Array(hash) }

  public init(of bytes: UnsafeRawBufferPointer) {
    var hash = SHA256()
    hash.update(bufferPointer: bytes)
    self.init(hash.finalize())
  }

  /// Of a whole file, mapped where that is safe.
  ///
  /// - Throws: where it cannot be read.
  public init(contentsOf file: URL) throws {
    let data = try Data(contentsOf: file, options: .mappedIfSafe)
    self = data.withUnsafeBytes { Digest(of: $0) }
  }

  public init(of bytes: [UInt8]) { self = bytes.withUnsafeBytes { Digest(of: $0) } }

  /// Reads 64 hexadecimal digits in lower case.
  public init?(hexadecimal text: String) {
    let digits = Array(text.utf8)
    guard digits.count == 2 * Self.count else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Self.count)
    for index in stride(from: 0, to: digits.count, by: 2) {
      guard let high = Self.value(digits[index]), let low = Self.value(digits[index + 1]) else { return nil }
      bytes.append(high << 4 | low)
    }
    self.bytes = bytes
  }

  private static func value(_ digit: UInt8) -> UInt8? {
    switch digit {
    case 48...57: digit - 48
    case 97...102: digit - 87
    default: nil
    }
  }

  private static let digits = Array("0123456789abcdef".utf8)

  /// In hexadecimal.
  public var description: String {
    String(decoding: bytes.flatMap { [Self.digits[Int($0 >> 4)], Self.digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}
