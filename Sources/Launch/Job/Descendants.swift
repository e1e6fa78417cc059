import Foundation
import Glibc

/// The processes that a process has started, and theirs: mpirun's remote shells are in process groups of their own.
enum Descendants {
  static func of(_ process: pid_t) -> [pid_t] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    var children: [pid_t: [pid_t]] = [:]
    for child in names.compactMap({ pid_t($0) }) {
      if let parent = parent(of: child) { children[parent, default: []].append(child) }
    }
    var found: [pid_t] = []
    var next = children[process] ?? []
    while let child = next.popLast() {
      found.append(child)
      next += children[child] ?? []
    }
    return found
  }

  /// The second word behind the name, which stands in parentheses and may hold some.
  private static func parent(of process: pid_t) -> pid_t? {
    guard let bytes = FileManager.default.contents(atPath: "/proc/\(process)/stat"),
      let end = bytes.lastIndex(of: UInt8(ascii: ")"))
    else { return nil }
    let words = bytes[bytes.index(after: end)...].split(separator: UInt8(ascii: " "))
    return words.count > 1 ? pid_t(String(decoding: words[1], as: UTF8.self)) : nil
  }
}
