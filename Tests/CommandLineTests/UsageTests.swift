import Foundation
import TestSupport
import Testing

@Suite("Command line", .serialized)
struct UsageTests {
  static let commands = ["generate", "trace", "inspect", "tokenize", "synthesize"]

  @Test("Help names every command, with its line; every command has help with examples")
  func help() throws {
    for arguments in [["--help"], ["help"], []] {
      let run = try Run(arguments)
      #expect(run.status == 0 && run.errors == "")
      for command in Self.commands { #expect(run.text.contains("\n  \(command) ")) }
      #expect(run.text.contains("EXIT CODES"))
    }
    for command in Self.commands {
      let run = try Run([command, "--help"])
      #expect(run.status == 0 && run.text.contains("USAGE: flotilla \(command)"))
    }
    #expect(try Run(["--version"]).text == "0.1.0\n")
  }

  @Test(
    "Wrong options: the first line says what, exit code 2",
    arguments: [
      (["inspect", "a", "-m", "b"], "MODEL was given twice: as an argument and with -m. Leave one of them out."),
      (["inspect", "a", "b"], "Unexpected argument 'b'"),
      (["inspect", "--placement-for", "0"], "--placement-for: expected 1 to 65536, found 0"),
      (["inspect", "--router-rank", "1"], "--router-rank needs --placement-for: the number of ranks."),
      (["generate", "-p", "a", "--temp=-1"], "--temp: expected 0 to 100, found -1.0"),
      (["generate", "-p", "a", "--top-p", "0"], "--top-p: expected above 0, at most 1, found 0.0"),
      (["generate", "-p", "a", "--temp", "nan"], "--temp: expected 0 to 100, found nan"),
      (["generate", "-p", "a", "-c", "0"], "--ctx-size: expected 1 to 16777216, found 0"),
      (["generate", "-p", "a", "-t", "5000"], "--threads: expected 1 to 1024, found 5000"),
      (["generate", "-p", "a", "--timeout", "0"], "--timeout: expected seconds above 0, at most 86400, found 0.0"),
      (
        ["generate", "-p", "a", "-m", "b", "c"],
        "MODEL was given twice: as an argument and with -m. Leave one of them out."
      ),
      (["tokenize", "--chat", "--decode"], "--chat and --decode exclude each other."),
      (["tokenize", "--skip-special"], "--skip-special needs --decode."),
      (["fly"], "Unexpected argument 'fly'"),
    ])
  func wrongOptions(_ arguments: [String], _ error: String) throws {
    let run = try Run(arguments)
    #expect(run.status == 2)
    #expect(run.output == [])
    #expect(run.errors.split(separator: "\n").first.map(String.init) == "error: " + error)
  }

  @Test("A path that leads nowhere: error, hint, exit code 2", arguments: ["inspect", "generate"])
  func wrongPath(_ command: String) throws {
    let run = try Run([command, "/nonexistent"] + (command == "generate" ? ["-p", "a"] : []))
    #expect(run.status == 2)
    #expect(
      run.errors == """
        error: /nonexistent: checkpoint: expected a Hugging Face checkpoint folder or a GGUF file, found nothing
        hint: Check the path.

        """)
  }

  @Test("Control characters of a name never reach the terminal")
  func escapes() throws {
    let run = try Run(["inspect", "/nonexistent/\u{1B}[31m"])
    #expect(run.status == 2 && !run.errors.utf8.contains(0x1B))
  }

  @Test("Under mpirun, what needs one process runs on one, and errors are said once")
  func launched() throws {
    let alone = try Run(["inspect"])
    let launched = try Run(["inspect"], ranks: 3)
    #expect(launched.status == 0)
    #expect(launched.lines == alone.lines)
    let wrong = try Run(["inspect", "--placement-for", "0"], ranks: 3)
    #expect(wrong.status == 2)
    #expect(wrong.errors.components(separatedBy: "error: --placement-for").count == 2)
  }

  @Test("Output that nobody takes is an error, not silence")
  func fullDisk() throws {
    let process = Process()
    let errors = Pipe()
    process.executableURL = URL(filePath: try Job.executable("flotilla"))
    process.arguments = ["inspect"]
    process.standardOutput = FileHandle(forWritingAtPath: "/dev/full")
    process.standardError = errors
    try process.run()
    let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 1)
    #expect(text == "error: standard output: No space left on device\n")
  }
}
