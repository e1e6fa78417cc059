import Foundation
import Nodes
import TestSupport
import Testing

@Suite("Words for shells and rsync")
struct ShellTests {
  private func strange() -> [String] {
    var random = SeededGenerator(seed: 8)
    let alphabet = Array(" '\"\\$`\n\t;&|*?é-~#!a/=")
    return (0..<300).map { _ in
      String((0..<Int.random(in: 0..<12, using: &random)).map { _ in alphabet.randomElement(using: &random)! })
    }
  }

  @Test("A shell reads back what was quoted, whatever it is")
  func quoted() throws {
    let words = strange()
    let script = words.map { "printf '%s\\0' \(ShellText.quoted($0))\n" }.joined()
    var output: [UInt8] = []
    let child = try ChildProcess.run(["sh"], input: Array(script.utf8), isCancelled: { false }) { output += $0 }
    #expect(child.ending == .exited(0), "\(child.errors)")
    let read = output.split(separator: 0, omittingEmptySubsequences: false).dropLast()
    #expect(read.map { String(decoding: $0, as: UTF8.self) } == words)
  }

  @Test("Commands as rsync -e takes them, there and back")
  func commands() {
    for word in strange() where !word.isEmpty {
      #expect(ShellText.words(rsyncCommand: ShellText.rsyncCommand([word, "-x", word])) == [word, "-x", word])
    }
    #expect(ShellText.words(rsyncCommand: "ssh -p 2222  -i 'my key'") == ["ssh", "-p", "2222", "-i", "my key"])
    for text in ["", " ", "'ssh", "''"] { #expect(ShellText.words(rsyncCommand: text) == nil) }
  }

  @Test("How a node is reached")
  func shell() throws {
    let ssh = RemoteShell.ssh()
    #expect(ssh.script(on: "n1") == ["ssh"] + RemoteShell.sshOptions + ["n1", "sh"])
    #expect(ssh.script(on: "localhost") == ["sh"] && ssh.location("/m", on: "localhost") == "/m")
    #expect(ssh.location("/m", on: "u@n1") == "u@n1:/m")
    #expect(
      ssh.location("/m", on: "u@fe80::1") == "u@[fe80::1]:/m" && ssh.location("/m", on: "fe80::1") == "[fe80::1]:/m")
    let own = try #require(RemoteShell.command("/usr/bin/ssh -p 22"))
    #expect(
      own.script(on: "localhost") == ["/usr/bin/ssh", "-p", "22"] + RemoteShell.sshOptions + ["localhost", "sh"])
    #expect(RemoteShell.command("lab agent")?.script(on: "n1") == ["lab", "agent", "n1", "sh"])
  }

  @Test("Lines out of pieces")
  func lines() {
    var cutter = LineCutter()
    var lines: [String] = []
    for piece in ["\r  1", " 2%\r\n", "three", "\nf"] { cutter.add(Array(piece.utf8)) { lines.append($0) } }
    #expect(lines == ["  1 2%", "three"])
  }
}
