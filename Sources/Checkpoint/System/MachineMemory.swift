import Foundation

/// Memory of this process.
public enum ProcessMemory {
  /// Resident bytes now, mapped files included; 0 where the system does not tell.
  public static func resident() -> Int {
    guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return 0 }
    let fields = text.split(separator: " ")
    guard fields.count > 1, let pages = Int(fields[1]) else { return 0 }
    return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
  }
}

/// Memory of this machine.
public enum MachineMemory {
  /// Bytes that a process may still take: the system's estimate, or less where a control group allows less.
  ///
  /// `root` is the file system's root (tests pass their own). Nil where the system does not tell.
  public static func available(root: String = "") -> Int? {
    guard var available = bytes("MemAvailable:", of: text(root + "/proc/meminfo") ?? "") else { return nil }
    for group in groups(root: root) {
      if let room = room(in: group) { available = min(available, room) }
    }
    return max(available, 0)
  }

  /// Bytes that the machine has.
  public static func total(root: String = "") -> Int? { bytes("MemTotal:", of: text(root + "/proc/meminfo") ?? "") }

  /// The bytes of a field of `/proc/meminfo`.
  package static func bytes(_ name: String, of text: String) -> Int? {
    field(name, of: text).flatMap { kibibytes in
      let (bytes, overflows) = kibibytes.multipliedReportingOverflow(by: 1024)
      return overflows ? nil : bytes
    }
  }

  /// Folders of the control groups that hold this process, inner first.
  private static func groups(root: String) -> [String] {
    var folders: [String] = []
    for line in (text(root + "/proc/self/cgroup") ?? "").split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3, !parts[2].contains("..") else { continue }
      let base: String
      if parts[1].isEmpty {
        base = root + "/sys/fs/cgroup"
      } else if parts[1].split(separator: ",").contains("memory") {
        base = root + "/sys/fs/cgroup/memory"
      } else {
        continue
      }
      var path = parts[2].split(separator: "/")
      while true {
        folders.append(([base] + path.map(String.init)).joined(separator: "/"))
        if path.isEmpty { break }
        path.removeLast()
      }
    }
    return folders
  }

  /// Limit less use of one control group (either version); file pages it can drop do not count as use.
  private static func room(in folder: String) -> Int? {
    func number(_ name: String) -> Int? {
      text(folder + "/" + name).flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
    }
    guard let limit = number("memory.max") ?? number("memory.limit_in_bytes"),
      let used = number("memory.current") ?? number("memory.usage_in_bytes")
    else { return nil }
    let statistics = text(folder + "/memory.stat") ?? ""
    let reclaimable =
      field("total_inactive_file", of: statistics) ?? field("inactive_file", of: statistics) ?? 0
    let (room, overflow) = limit.subtractingReportingOverflow(max(used - reclaimable, 0))
    return overflow ? nil : room
  }

  private static func text(_ path: String) -> String? {
    try? String(contentsOfFile: path, encoding: .utf8)
  }

  /// The number after `name` at the start of a line.
  private static func field(_ name: String, of text: String) -> Int? {
    for line in text.split(separator: "\n") {
      let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
      if words.count >= 2, words[0] == name { return Int(words[1]) }
    }
    return nil
  }
}
