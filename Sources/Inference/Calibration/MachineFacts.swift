import Foundation

/// What a machine says about itself. Nil where it does not say.
public struct MachineFacts: Codable, Sendable, Equatable {
  public var cpu: String
  /// Processors that this process may use.
  public var cores: Int
  /// Release of the operating system's kernel.
  public var kernel: String
  /// Frequency governor of the first processor.
  public var governor: String?
  /// How TCP reacts to losses; it decides over the speed of large messages between hosts.
  public var congestionControl: String?
  /// Whether memory may come in huge pages: `always`, `madvise` or `never`.
  public var hugePages: String?
  public var lastLevelCacheBytes: Int?

  enum CodingKeys: String, CodingKey {
    case cpu, cores, kernel, governor
    case congestionControl = "congestion_control"
    case hugePages = "huge_pages"
    case lastLevelCacheBytes = "last_level_cache_bytes"
  }

  /// - Parameter root: of the file system; tests pass their own.
  public static func ofThisMachine(root: String = "") -> MachineFacts {
    var system = utsname()
    uname(&system)
    let processor = root + "/sys/devices/system/cpu/cpu0"
    return MachineFacts(
      cpu: name(cpuinfo: text(root + "/proc/cpuinfo") ?? "") ?? string(&system.machine),
      cores: ProcessInfo.processInfo.activeProcessorCount,
      kernel: "\(string(&system.sysname)) \(string(&system.release))",
      governor: line(processor + "/cpufreq/scaling_governor"),
      congestionControl: line(root + "/proc/sys/net/ipv4/tcp_congestion_control"),
      hugePages: line(root + "/sys/kernel/mm/transparent_hugepage/enabled").flatMap(bracketed),
      lastLevelCacheBytes: lastLevelCache(processor))
  }

  /// Whether the system gives nobody huge pages.
  public var refusesHugePages: Bool { hugePages == "never" }

  /// Bytes to read so that most come from memory: four times the last-level cache, 512 MiB where it is not known.
  public var bufferBeyondCache: Int { Self.bufferBeyondCache(lastLevelCacheBytes: lastLevelCacheBytes) }

  static func bufferBeyondCache(lastLevelCacheBytes: Int?) -> Int { lastLevelCacheBytes.map { 4 * $0 } ?? 512 << 20 }

  /// `model name` of x86; elsewhere the kernel prints no name.
  static func name(cpuinfo: String) -> String? {
    for line in cpuinfo.split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 1)
      guard parts.count == 2, parts[0].trimmingCharacters(in: .whitespaces) == "model name" else { continue }
      return parts[1].trimmingCharacters(in: .whitespaces)
    }
    return nil
  }

  /// The chosen word of "always [madvise] never".
  private static func bracketed(_ text: String) -> String? {
    text.split(separator: " ").first { $0.hasPrefix("[") && $0.hasSuffix("]") }.map {
      String($0.dropFirst().dropLast())
    }
  }

  private static func lastLevelCache(_ processor: String) -> Int? {
    (0..<8).compactMap { index -> (level: Int, bytes: Int)? in
      let folder = processor + "/cache/index\(index)"
      guard let level = line(folder + "/level").flatMap({ Int($0) }), let size = line(folder + "/size") else {
        return nil
      }
      return bytes(size).map { (level, $0) }
    }.max { $0.level < $1.level }?.bytes
  }

  /// "32768K" in bytes.
  private static func bytes(_ size: String) -> Int? {
    let units: [Character: Int] = ["K": 10, "M": 20, "G": 30]
    guard let last = size.last else { return nil }
    guard let shift = units[last] else { return Int(size) }
    return Int(size.dropLast()).map { $0 << shift }
  }

  private static func line(_ path: String) -> String? {
    guard let found = text(path)?.trimmingCharacters(in: .whitespacesAndNewlines), !found.isEmpty else { return nil }
    return found
  }

  private static func text(_ path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }

  private static func string<Field>(_ field: inout Field) -> String {
    withUnsafeBytes(of: &field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }
}
