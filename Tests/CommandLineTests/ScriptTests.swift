import Foundation
import TestSupport
import Testing

@Suite("Scripts that new users start")
struct ScriptTests {
  private static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Scripts")

  @Test(
    "--help prints the usage and does nothing else; a wrong option prints it too, exit code 2",
    arguments: ["tour", "demo", "setup"])
  func usage(_ name: String) throws {
    let script = Self.folder.appending(path: name).filePath
    let (status, text) = try Shell.run([script, "--help"])
    #expect(status == 0 && text.hasPrefix("usage: Scripts/\(name)") && text.split(separator: "\n").count < 8, "\(text)")
    for arguments in [["--wrong"], ["a", "b"]] {
      let (status, usage) = try Shell.run([script] + arguments)
      #expect(status == 2 && usage == text, "\(usage)")
    }
  }
}
