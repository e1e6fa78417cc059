import Foundation
import TestSupport
import Testing

@Suite("Files that commands write", .serialized)
struct OutputFileTests {
  /// A disk of 64 KiB without room, for one program and nobody else; its name is the first argument. What lies there at
  /// the end comes behind the program's errors.
  private static let fullDisk = [
    "unshare", "--mount", "sh", "-c",
    """
    d=$1; shift
    mount -t tmpfs -o size=64k none "$d" || exit 99
    cat /dev/zero > "$d/fill" 2>/dev/null
    "$@"
    s=$?
    echo "left: $(ls -A "$d")" >&2
    exit $s
    """, "sh",
  ]

  private static let canMount: Bool = {
    let folder = FileManager.default.temporaryDirectory.filePath
    return (try? Run(["--version"], launcher: fullDisk + [folder]))?.status == 0
  }()

  private static let question = ["generate", "-p", "What is 4 + 5?", "-n", "1", "-q"]
  private static let quick = ["calibrate", "-r", "1", "--buffer", "4", "-t", "1", "-q"]

  @Test(
    "A full disk is told as one, with exit code 1, and nothing stays behind",
    .enabled(if: canMount, "no file system can be mounted here"),
    arguments: [
      question + ["--record"], question + ["--record-routing"], question + ["--journal"], quick + ["-o"],
      quick + ["--hosts", "localhost", "-o"], ["chat", "-q", "--record"],
      ["simulate", "tiny", "-n", "1", "-q", "--record"], ["inspect", "--placement-for", "2", "--write-placement"],
      ["doctor", "-q", "--bundle"],
    ])
  func full(_ arguments: [String]) throws {
    try withTemporaryPath { folder in
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      let run = try Run(arguments + [folder + "/file"], launcher: Self.fullDisk + [folder])
      #expect(run.status == 1, "\(run.errors)")
      #expect(
        run.errors.contains("found No space left on device\nhint: The disk is full: free some of it"), "\(run.errors)")
      #expect(run.errors.hasSuffix("left: fill\n"), "\(run.errors)")
    }
  }

  @Test("A run that fails leaves no empty record; one that has a record before keeps it")
  func failedRun() throws {
    try withTemporaryPath { path in
      let failing = ["generate", "/nonexistent", "-p", "a", "--record", path, "--record-routing", path + ".routing"]
      #expect(try Run(failing).status == 2)
      #expect(
        !FileManager.default.fileExists(atPath: path) && !FileManager.default.fileExists(atPath: path + ".routing"))
      let arguments = Self.question + ["--record", path]
      #expect(try Run(arguments).status == 0 && Run(failing).status == 2 && Run(arguments).status == 0)
      let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
      #expect(lines.count == 2)
    }
  }

  @Test("A place for a record that is none is known before the run, exit code 2")
  func place() throws {
    for path in ["/nonexistent/r.jsonl", "/"] {
      let run = try Run(Self.question + ["--record", path])
      #expect(run.status == 2 && run.output == [])
      #expect(run.errors.hasPrefix("error: \(path): expected to open the record file, found "), "\(run.errors)")
      #expect(run.errors.hasSuffix("\nhint: --record names a file in a folder that exists and may be written to\n"))
    }
    #expect(try Run(Self.question + ["--record", "/dev/null"]).status == 0)
  }

  @Test("A folder that is not there is known before the nodes are looked at")
  func bundle() throws {
    let run = try Run(["doctor", "--hosts", "a.invalid", "-q", "--bundle", "/nonexistent/b.json"])
    #expect(run.status == 2 && run.output == [])
    #expect(
      run.errors.hasPrefix("error: --bundle /nonexistent/b.json: expected a folder /nonexistent to write to, found "))
  }
}
