import Foundation
import Nodes
import Synchronization

/// Brings the program to nodes that lack it or have another: the same file at the same path.
public struct Installation: Sendable {
  /// Absolute path of the program here, and of what belongs beside it.
  let program: String
  let companions: [String]
  let shell: RemoteShell

  public init(program: String, companions: [String], shell: RemoteShell) {
    self.program = program
    self.companions = companions
    self.shell = shell
  }

  /// - Throws: ``LaunchError`` naming the node.
  public func install(on hosts: [String], isCancelled: @escaping @Sendable () -> Bool) throws {
    let failures = Mutex<[String]>([])
    concurrently(hosts.count, most: 8) { index in
      do {
        try install(on: hosts[index], isCancelled)
      } catch {
        failures.withLock { $0.append("\(error)") }
      }
    }
    if let first = failures.withLock({ $0.first }) { throw LaunchError("--install: \(first)") }
  }

  private func install(on host: String, _ isCancelled: @escaping @Sendable () -> Bool) throws {
    let link = NodeLink(host: host, shell: shell, isCancelled: isCancelled)
    let folder = (program as NSString).deletingLastPathComponent
    _ = try link.lines(NodeScript.bytes("mkdir -p \(ShellText.quoted(folder)) || exit 1"))
    var words = ["rsync", "-a", "--checksum", "--no-owner", "--no-group"]
    if !shell.isLocal(host) { words += ["-e", ShellText.rsyncCommand(shell.words)] }
    words += ["--", program] + companions + [shell.location(folder, on: host) + "/"]
    let child = try link.started { try ChildProcess.run(words, isCancelled: isCancelled) { _ in } }
    guard child.ending == .exited(0) else { throw link.failure("rsync failed", child.errors) }
    let lines = try link.lines(
      NodeScript.bytes("\(ShellText.quoted(program)) --version 2>&1 </dev/null | head -n 1"))
    guard let version = lines.first, version.first?.isNumber == true else {
      throw LaunchError(
        "\(host): \(program): expected a program that runs there, found: \(lines.first ?? "no word")",
        hint: "install libopenmpi3 there, and copy a binary with Swift inside: Scripts/package makes one")
    }
  }
}
