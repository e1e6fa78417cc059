/// CRC-32 as zlib, gzip and PNG have it, so that a journal can be checked with common tools.
///
/// Source: ISO 3309; polynomial 0x04C11DB7, reflected.
struct Checksum: Equatable {
  private(set) var value: UInt32 = 0

  private static let table: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { value, _ in value & 1 == 1 ? 0xEDB8_8320 ^ (value >> 1) : value >> 1 }
  }

  mutating func update(_ bytes: some Sequence<UInt8>) {
    var state = ~value
    for byte in bytes { state = Self.table[Int((state ^ UInt32(byte)) & 0xFF)] ^ (state >> 8) }
    value = ~state
  }

  /// Eight hexadecimal digits.
  var text: String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
  }
}
