import Foundation

/// Runs scripts and programs for one node, and says what went wrong in terms of that node.
package struct NodeLink: Sendable {
  package let host: String
  package let shell: RemoteShell
  package let isCancelled: @Sendable () -> Bool

  /// - Parameter isCancelled: asked ten times a second, from any thread.
  package init(host: String, shell: RemoteShell, isCancelled: @escaping @Sendable () -> Bool) {
    self.host = host
    self.shell = shell
    self.isCancelled = isCancelled
  }

  /// Runs a script there, as ``NodeScript`` writes it.
  ///
  /// - Parameter line: called with each of its lines as it comes.
  /// - Returns: the last lines of its standard error.
  /// - Throws: ``NodeError``, ``NodeInterrupted``.
  @discardableResult
  package func run(_ script: [UInt8], line: (String) -> Void = { _ in }) throws -> String {
    var cutter = LineCutter()
    var isInside = false
    var isWhole = false
    let child = try started {
      try ChildProcess.run(shell.script(on: host), input: script, isCancelled: isCancelled) { bytes in
        cutter.add(bytes) { text in
          // What the login itself prints stands before.
          switch text {
          case NodeScript.begin: isInside = true
          case NodeScript.end: isWhole = true
          default: if isInside && !isWhole { line(text) }
          }
        }
      }
    }
    switch child.ending {
    case .exited(0) where isWhole: return child.errors
    case .cancelled: throw NodeInterrupted()
    case .exited(0): throw failure("the script did not run there", child.errors)
    case .exited(let code): throw failure(isInside ? "a command failed there" : "not reachable", child.errors, code)
    case .killed(let signal): throw failure("the connection was killed by signal \(signal)", child.errors)
    }
  }

  package func lines(_ script: [UInt8]) throws -> [String] {
    var lines: [String] = []
    try run(script) { lines.append($0) }
    return lines
  }

  /// Runs a program; what keeps it from starting is said of this node.
  package func started(_ body: () throws -> ChildProcess) throws -> ChildProcess {
    do { return try body() } catch var error as NodeError {
      error.node = host
      throw error
    }
  }

  package func failure(_ text: String, _ errors: String, _ code: Int32? = nil) -> NodeError {
    let words = Self.lastWords(errors)
    let status = code.map { " (code \($0))" } ?? ""
    return NodeError("\(text)\(status): \(words.isEmpty ? "no word why" : words)", node: host, hint: hint(errors))
  }

  /// The line that says most: rsync's and ssh's first complaint, without what follows from it.
  package static func lastWords(_ errors: String) -> String {
    let lines = errors.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }
      .filter { !$0.isEmpty && !$0.hasPrefix("Warning: Permanently added") }
    let chosen = lines.first { $0.contains("No space left") } ?? lines.first ?? ""
    return String(chosen.prefix(300))
  }

  private func hint(_ errors: String) -> String {
    let bare = NodeName.host(host)
    let hints = [
      ("Permission denied (", "ssh-copy-id \(host): ssh asks for no password here"),
      ("Host key verification failed", "ssh \(host) once by hand, and accept its key"),
      ("REMOTE HOST IDENTIFICATION", "the node's key changed: if that is right, ssh-keygen -R \(bare)"),
      ("Could not resolve hostname", "check the name in the hostfile, or add it to /etc/hosts"),
      ("Connection refused", "is sshd running there?"),
      ("timed out", "is the node on, and does its firewall let ssh through?"),
      ("No route to host", "is the node on, and in this network?"),
      ("rsync: command not found", "install rsync there: apt-get install rsync"),
      ("rsync: not found", "install rsync there: apt-get install rsync"),
      ("No space left", "make room there, or give another folder with --to; the same command goes on"),
      ("connection unexpectedly closed", "the same command goes on where this ended"),
    ]
    return hints.first { errors.contains($0.0) }?.1 ?? ""
  }
}
