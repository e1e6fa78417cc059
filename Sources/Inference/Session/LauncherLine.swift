import Foundation

/// The command line that started this process as one of several ranks.
public enum LauncherLine {
  private static let launchers: Set = ["mpirun", "mpiexec", "orterun", "prterun", "srun"]
  /// Between a rank and its launcher there may be shells and wrappers.
  private static let mostAncestors = 8

  /// Of mpirun, or of the `flotilla launch` that started it; nil where none of them is on this host, as on a node to
  /// which a daemon of mpirun brought the rank.
  public static func ofThisProcess() -> [String]? { above(getppid(), root: "") }

  /// - Parameters:
  ///   - process: where to begin.
  ///   - root: of the file system; tests pass their own.
  package static func above(_ process: Int32, root: String) -> [String]? {
    var process = process
    for _ in 0..<mostAncestors {
      guard let found = words(of: process, root), let name = found.first.map(name) else { return nil }
      let parent = parent(of: process, root)
      if launchers.contains(name) {
        let before = parent.flatMap { words(of: $0, root) } ?? []
        return before.count > 1 && self.name(before[0]) == "flotilla" && before[1] == "launch" ? before : found
      }
      guard let parent, parent > 1 else { return nil }
      process = parent
    }
    return nil
  }

  private static func name(_ program: String) -> String { URL(filePath: program).lastPathComponent }

  private static func words(of process: Int32, _ root: String) -> [String]? {
    guard let bytes = FileManager.default.contents(atPath: "\(root)/proc/\(process)/cmdline"), !bytes.isEmpty else {
      return nil
    }
    let words = bytes.split(separator: 0, omittingEmptySubsequences: false).dropLast()
    return words.map { String(decoding: $0, as: UTF8.self) }
  }

  /// The second number behind the program's name, which stands in parentheses and may hold some itself.
  private static func parent(of process: Int32, _ root: String) -> Int32? {
    let bytes = FileManager.default.contents(atPath: "\(root)/proc/\(process)/stat") ?? Data()
    let text = String(decoding: bytes, as: UTF8.self)
    guard let end = text.lastIndex(of: ")") else { return nil }
    let fields = text[text.index(after: end)...].split(separator: " ")
    return fields.count > 1 ? Int32(fields[1]) : nil
  }
}
