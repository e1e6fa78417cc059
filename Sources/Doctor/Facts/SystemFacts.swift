import Foundation

/// Single facts of this machine.
public enum SystemFacts {
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
  public static func sockets(root: String = "") -> Int {
    let folder = root + "/sys/devices/system/cpu"
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    let packages = names.filter { $0.hasPrefix("cpu") }.compactMap {
      line("\(folder)/\($0)/topology/physical_package_id")
    }
    return max(1, Set(packages).count)
  }

  static func load(root: String = "") -> Double? {
    line(root + "/proc/loadavg")?.split(separator: " ").first.flatMap { Double($0) }
  }

  private static func line(_ path: String) -> String? {
    (try? String(contentsOfFile: path, encoding: .utf8))?.trimmingCharacters(in: .whitespacesAndNewlines)
  }
}
