import Foundation
import Push
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

  @Test("What rsync says")
  func rsync() throws {
    #expect(try #require(Rsync.version("rsync  version 3.2.7  protocol version 31")) == (3, 2))
    #expect(try #require(Rsync.version("rsync  version v3.2.3  protocol version 31")) == (3, 2))
    #expect(Rsync.version("openrsync: protocol version 29") == nil)
    #expect(Rsync.progress("    300003000 100%   71.55MB/s    0:00:03 (xfr#2, to-chk=0/2)") == 300_003_000)
    #expect(Rsync.progress("  1,238,099  42%  146.38kB/s  0:00:08") == 1_238_099)
    #expect(Rsync.progress("sending incremental file list") == nil)
    var cutter = LineCutter()
    var lines: [String] = []
    for piece in ["\r  1", " 2%\r\n", "three", "\nf"] { cutter.add(Array(piece.utf8)) { lines.append($0) } }
    #expect(lines == ["  1 2%", "three"])
  }

  @Test("What a node says of itself")
  func survey() throws {
    let survey = Survey([
      "rsync rsync  version 3.2.7  protocol version 31", "sha256sum", "occupied", "manifest ab",
      "file 1000 expert-000.bundle",
      "file 7 dense.bundle", "part 600 expert-001.bundle", "part 900 expert-001.bundle.a1B2c3",
      "disk //server/my share 1000 400 600 40% /mnt/my disk", "flotilla 0.1.0 /opt/my tools/flotilla",
      "unwritable /data",
    ])
    #expect(survey.parts == ["expert-001.bundle": 900] && survey.files["dense.bundle"] == 7)
    #expect(survey.programs.first?.path == "/opt/my tools/flotilla" && survey.unwritable == "/data")
    #expect(survey.free == 600 << 10)
    #expect(survey.hasHashes && survey.isOccupied && !survey.isSource && survey.manifest == "ab")
    #expect(Survey(["disk /dev/sda1 1000 400 600 40% /"]).free == 600 << 10)
    #expect(Survey(["rsync "]).rsync == nil && Survey(["disk "]).free == nil)
  }
}
