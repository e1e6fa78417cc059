import Crypto
import Foundation

/// A SHA-256 hash.
public struct Digest: Sendable, Hashable, CustomStringConvertible {
  /// In the order of memory. Without an array of its own: a large model's manifest has tens of thousands.
  private var words: SIMD4<UInt64>

  static let count = 32
  static let zero = Digest(words: .zero)

  private init(words: SIMD4<UInt64>) { self.words = words }

  /// Of what was hashed piece by piece.
  public init(_ hash: SHA256.Digest) {
    words = hash.withUnsafeBytes { $0.loadUnaligned(as: SIMD4<UInt64>.self) }
  }

  public var bytes: [UInt8] { withUnsafeBytes { Array($0) } }

  func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    try Swift.withUnsafeBytes(of: words, body)
  }

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
    var text = text
    guard let digest = text.withUTF8({ Digest(hexadecimal: UnsafeRawBufferPointer($0)) }) else { return nil }
    self = digest
  }

  /// Reads 64 hexadecimal digits in lower case.
  init?(hexadecimal digits: UnsafeRawBufferPointer) {
    guard digits.count == 2 * Self.count else { return nil }
    words = .zero
    let isValid = withUnsafeMutableBytes(of: &words) { bytes in
      for index in 0..<Self.count {
        let (high, low) = (Self.values[Int(digits[2 * index])], Self.values[Int(digits[2 * index + 1])])
        if high | low > 15 { return false }
        bytes[index] = high << 4 | low
      }
      return true
    }
    if !isValid { return nil }
  }

  /// Of the lower-case digits; 255 for other bytes.
  private static let values: [UInt8] = (UInt8(0)...255).map { byte in
    switch byte {
    case 48...57: byte - 48
    case 97...102: byte - 87
    default: 255
    }
  }

  private static let digits = Array("0123456789abcdef".utf8)

  /// In hexadecimal.
  public var description: String {
    String(decoding: bytes.flatMap { [Self.digits[Int($0 >> 4)], Self.digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}
