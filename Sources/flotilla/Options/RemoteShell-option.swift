import ArgumentParser
import Nodes

/// `--rsh`: what brings commands to nodes in place of ssh.
extension RemoteShell {
  /// - Throws: `ValidationError` where the option's text is no command.
  static func check(option text: String?) throws {
    guard let text, command(text) == nil else { return }
    throw ValidationError("--rsh: expected a command, found \"\(text)\".")
  }

  /// - Parameter text: of the option, after ``check(option:)``; nil: ssh.
  init(option text: String?) { self = text.flatMap(Self.command) ?? .ssh() }
}
