import Checkpoint
import Foundation

/// Single facts of this machine.
enum SystemFacts {
  enum Limit { case lockedMemory, openFiles }

  /// - Returns: nil: no limit.
  static func limit(_ limit: Limit) -> Int? {
    var found = rlimit()
    let resource = limit == .lockedMemory ? __RLIMIT_MEMLOCK : RLIMIT_NOFILE
    guard getrlimit(__rlimit_resource_t(resource.rawValue), &found) == 0, found.rlim_cur != rlim_t.max else {
      return nil
    }
    return Int(exactly: found.rlim_cur)
  }

  /// - Parameter root: of the file system; tests pass their own.
  static func sockets(root: String = "") -> Int {
    let folder = root + "/sys/devices/system/cpu"
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    let packages = names.filter { $0.hasPrefix("cpu") }.compactMap {
      line("\(folder)/\($0)/topology/physical_package_id")
    }
    return max(1, Set(packages).count)
  }

  static func memoryTotal(root: String = "") -> Int? {
    let text = (try? String(contentsOfFile: root + "/proc/meminfo", encoding: .utf8)) ?? ""
    return MeminfoText.bytes("MemTotal", in: text)
  }

  static func memoryAvailable() -> Int? { MachineMemory.available() }

  static func load(root: String = "") -> Double? {
    line(root + "/proc/loadavg")?.split(separator: " ").first.flatMap { Double($0) }
  }

  private static func line(_ path: String) -> String? {
    (try? String(contentsOfFile: path, encoding: .utf8))?.trimmingCharacters(in: .whitespacesAndNewlines)
  }
}

/// The text of `/proc/meminfo`.
enum MeminfoText {
  /// The number of a field, in bytes.
  static func bytes(_ name: String, in text: String) -> Int? {
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ", omittingEmptySubsequences: true)
      guard words.count >= 2, words[0] == "\(name):" else { continue }
      return Int(words[1]).flatMap { $0.multipliedReportingOverflow(by: 1024).overflow ? nil : $0 * 1024 }
    }
    return nil
  }
}
