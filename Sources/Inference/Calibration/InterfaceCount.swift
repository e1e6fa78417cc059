import Foundation

/// Bytes that have crossed a network interface since it came up, both ways.
public struct InterfaceCount: Codable, Sendable, Equatable {
  public var name: String
  public var bytes: Int

  public init(name: String, bytes: Int) {
    self.name = name
    self.bytes = bytes
  }

  /// Those of the network that this process has: in a container or a namespace `/sys` may show another one.
  ///
  /// - Parameter root: of the file system; tests pass their own.
  public static func ofThisMachine(root: String = "") -> [InterfaceCount] {
    guard let bytes = FileManager.default.contents(atPath: root + "/proc/self/net/dev") else { return [] }
    // "  eth0: bytes packets …", eight numbers of what came, then of what went.
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    return lines.compactMap { line in
      guard let colon = line.lastIndex(of: ":") else { return nil }
      let numbers = line[line.index(after: colon)...].split(separator: " ").compactMap { Int($0) }
      guard numbers.count >= 9 else { return nil }
      let name = line[..<colon].trimmingCharacters(in: .whitespaces)
      return InterfaceCount(name: name, bytes: numbers[0] &+ numbers[8])
    }.sorted { $0.name < $1.name }
  }

  /// What crossed each interface between two looks, the busiest first; those without traffic are left out.
  package static func growth(from before: [InterfaceCount], to after: [InterfaceCount]) -> [InterfaceCount] {
    after.compactMap { count in
      let bytes = count.bytes - (before.first { $0.name == count.name }?.bytes ?? 0)
      return bytes > 0 ? InterfaceCount(name: count.name, bytes: bytes) : nil
    }.sorted { ($1.bytes, $0.name) < ($0.bytes, $1.name) }
  }
}
