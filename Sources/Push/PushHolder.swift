import Foundation

/// Who pushes to a folder, as the lock in it says. A lock outlives a push that was killed; here it shows whether the
/// process is still there.
package struct PushHolder: Equatable {
  /// Names the push.
  let run: String
  let host: String
  let process: Int
  /// When the process was started, in ticks since that machine was: its number may be another's by now.
  let start: String

  /// This process.
  package init(run: String) {
    self.run = run
    host = ProcessInfo.processInfo.hostName
    process = Int(ProcessInfo.processInfo.processIdentifier)
    start = Self.start(of: process) ?? "0"
  }

  /// - Parameter text: as ``text`` writes it.
  package init?(_ text: some StringProtocol) {
    let words = text.split(separator: " ")
    guard words.count == 4, let process = Int(words[2]) else { return nil }
    (run, host, self.process, start) = (String(words[0]), String(words[1]), process, String(words[3]))
  }

  /// Plain words of a shell.
  package var text: String { "\(run) \(host) \(process) \(start)" }

  package var isOfThisMachine: Bool { host == ProcessInfo.processInfo.hostName }

  /// Known to be at its end. Of another machine nobody knows it here.
  package var isGone: Bool { isOfThisMachine && Self.start(of: process) != start }

  /// Field 22 of the process' line; its name, in parentheses, may hold anything.
  private static func start(of process: Int) -> String? {
    guard let line = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
      let end = line.lastIndex(of: ")")
    else { return nil }
    let fields = line[line.index(after: end)...].split(separator: " ")
    return fields.count > 19 ? String(fields[19]) : nil
  }
}
