import Foundation

/// How a command gets to a node.
public struct RemoteShell: Sendable, Equatable {
  /// Program and options; host and command come behind.
  public let words: [String]
  /// Whether this very machine is reached without it.
  public let knowsThisMachine: Bool
  let localNames: Set<String>

  /// A missing key is an error at once and never a question; a node that is gone is noticed within a minute.
  package static let sshOptions = [
    "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4",
  ]

  /// ssh, and no detour to this machine itself.
  public static func ssh() -> RemoteShell {
    let name = ProcessInfo.processInfo.hostName
    let short = name.split(separator: ".").first.map(String.init) ?? name
    return RemoteShell(
      words: ["ssh"] + sshOptions, knowsThisMachine: true,
      localNames: ["localhost", "127.0.0.1", "::1", name, short])
  }

  /// A command of the user's, as rsync's `-e` takes it; ssh gets our options behind theirs, where the first one counts.
  ///
  /// - Returns: nil where the text is no command.
  public static func command(_ text: String) -> RemoteShell? {
    guard let words = ShellText.words(rsyncCommand: text) else { return nil }
    let isSSH = words[0].split(separator: "/").last == "ssh"
    return RemoteShell(words: words + (isSSH ? sshOptions : []), knowsThisMachine: false, localNames: [])
  }

  /// Whether a host is this machine and needs no remote shell.
  package func isLocal(_ host: String) -> Bool { localNames.contains(host) }

  /// The command that runs a script from standard input there. The login shell sees one plain word.
  package func script(on host: String) -> [String] { isLocal(host) ? ["sh"] : words + [host, "sh"] }

  /// A folder or file there, as rsync takes it.
  package func location(_ path: String, on host: String) -> String {
    guard !isLocal(host) else { return path }
    guard host.contains(":") else { return "\(host):\(path)" }
    let parts = host.split(separator: "@")
    return (parts.count == 2 ? "\(parts[0])@" : "") + "[\(parts[parts.count - 1])]:\(path)"
  }
}
