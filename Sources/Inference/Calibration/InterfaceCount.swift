import Foundation

/// Bytes that have crossed a network interface since it came up, both ways.
public struct InterfaceCount: Codable, Sendable, Equatable {
  public var name: String
  public var bytes: Int

  public init(name: String, bytes: Int) {
    self.name = name
    self.bytes = bytes
  }

  /// - Parameter root: of the file system; tests pass their own.
  public static func ofThisMachine(root: String = "") -> [InterfaceCount] {
    let folder = root + "/sys/class/net"
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.sorted().compactMap { name in
      let counts = ["rx_bytes", "tx_bytes"].compactMap { counter -> Int? in
        let text = try? String(contentsOfFile: "\(folder)/\(name)/statistics/\(counter)", encoding: .utf8)
        return text.flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
      }
      return counts.count == 2 ? InterfaceCount(name: name, bytes: counts[0] &+ counts[1]) : nil
    }
  }

  /// What crossed each interface between two looks, the busiest first; those without traffic are left out.
  package static func growth(from before: [InterfaceCount], to after: [InterfaceCount]) -> [InterfaceCount] {
    after.compactMap { count in
      let bytes = count.bytes - (before.first { $0.name == count.name }?.bytes ?? 0)
      return bytes > 0 ? InterfaceCount(name: count.name, bytes: bytes) : nil
    }.sorted { ($1.bytes, $0.name) < ($0.bytes, $1.name) }
  }
}
