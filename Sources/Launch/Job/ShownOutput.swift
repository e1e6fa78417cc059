/// What has been shown of standard output. A job that begins anew gives all of it again; what follows is new.
package struct ShownOutput: Sendable {
  /// Bytes shown so far.
  package private(set) var count = 0
  private var hash = Self.seed
  /// Bytes that the present job has given again, and their hash.
  private var repeated = 0
  private var repeatedHash = Self.seed

  // FNV-1a with 64 bits: by chance no other text has the same.
  private static let (seed, prime): (UInt64, UInt64) = (0xCBF2_9CE4_8422_2325, 0x100_0000_01B3)

  package init() {}

  /// A job begins.
  package mutating func begin() { (repeated, repeatedHash) = (0, Self.seed) }

  /// Whether the present job has given again what had been shown.
  package var isCaughtUp: Bool { repeated >= count }

  /// - Parameter bytes: the next ones that the present job gives.
  /// - Returns: those that nobody has seen; nil where others had been shown in the place of these.
  package mutating func new(_ bytes: [UInt8]) -> [UInt8]? {
    let again = bytes.prefix(count - repeated)
    repeatedHash = Self.hash(again, repeatedHash)
    repeated += again.count
    if !again.isEmpty, isCaughtUp, repeatedHash != hash { return nil }
    let fresh = bytes.dropFirst(again.count)
    hash = Self.hash(fresh, hash)
    count += fresh.count
    if !fresh.isEmpty { (repeated, repeatedHash) = (count, hash) }
    return Array(fresh)
  }

  private static func hash(_ bytes: ArraySlice<UInt8>, _ state: UInt64) -> UInt64 {
    bytes.reduce(state) { ($0 ^ UInt64($1)) &* prime }
  }
}
