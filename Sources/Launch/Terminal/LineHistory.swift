import Foundation

/// Lines that were typed before, in a file of the user's.
package struct LineHistory {
  package private(set) var lines: [String] = []
  private let file: URL?

  package static let most = 500

  /// In `$XDG_STATE_HOME` or `~/.local/state`; without a home, for this session only.
  static func standard(_ environment: [String: String] = ProcessInfo.processInfo.environment) -> LineHistory {
    let state = environment["XDG_STATE_HOME"].map { URL(filePath: $0) }
    let home = environment["HOME"].map { URL(filePath: $0).appending(path: ".local/state") }
    return LineHistory(file: (state ?? home)?.appending(path: "flotilla/history"))
  }

  /// A file that cannot be read is as good as none: a history is a convenience.
  package init(file: URL?) {
    self.file = file
    guard let file, let text = try? String(contentsOf: file, encoding: .utf8) else { return }
    lines = text.split(separator: "\n").suffix(Self.most).compactMap(Self.unescaped)
  }

  package mutating func add(_ line: String) {
    guard !line.allSatisfy(\.isWhitespace), line != lines.last else { return }
    lines = (lines + [line]).suffix(Self.most)
    guard let file else { return }
    let text = lines.map(Self.escaped).joined(separator: "\n") + "\n"
    try? FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    guard (try? Data(text.utf8).write(to: file, options: .atomic)) != nil else { return }
    // What somebody asks a model is nobody else's business.
    try? FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file.path)
  }

  private static func escaped(_ line: String) -> String {
    line.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
  }

  private static func unescaped(_ line: Substring) -> String? {
    var text = ""
    var isEscaped = false
    for character in line {
      if isEscaped {
        text.append(character == "n" ? "\n" : character)
        isEscaped = false
      } else if character == "\\" {
        isEscaped = true
      } else {
        text.append(character)
      }
    }
    return isEscaped ? nil : text
  }
}
