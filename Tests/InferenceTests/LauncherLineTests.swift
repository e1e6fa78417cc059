import Foundation
import Inference
import Testing

@Suite("The launcher's line")
struct LauncherLineTests {
  /// Processes as /proc shows them: number, name, parent, words.
  private func found(_ processes: [(Int32, String, Int32, [String])], above process: Int32) throws -> [String]? {
    let root = FileManager.default.temporaryDirectory.appending(path: "proc-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: root) }
    for (number, name, parent, words) in processes {
      let folder = root.appending(path: "proc/\(number)")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      try Data("\(number) (\(name)) S \(parent) 1 1".utf8).write(to: folder.appending(path: "stat"))
      try Data(words.map { $0 + "\0" }.joined().utf8).write(to: folder.appending(path: "cmdline"))
    }
    return LauncherLine.above(process, root: root.path(percentEncoded: false))
  }

  private static let line = ["/usr/bin/mpirun", "-n", "2", "flotilla", "generate", "-p", ""]
  private static let launch = ["/opt/flotilla", "launch", "-n", "2", "--", "generate", "-p", ""]

  @Test("mpirun's, also above a shell, whatever stands in names; an empty word is one")
  func mpirun() throws {
    let login = (Int32(40), "bash", Int32(1), ["-bash"])
    let run = (Int32(50), "mpirun", Int32(40), Self.line)
    #expect(try found([login, run], above: 50) == Self.line)
    #expect(try found([login, run, (60, "sh) (x) 3 4", 50, ["sh", "-c", "flotilla"])], above: 60) == Self.line)
  }

  @Test("That of flotilla launch where it started mpirun, and of nothing else above it")
  func launch() throws {
    let run = (Int32(50), "mpirun", Int32(40), Self.line)
    #expect(try found([(40, "flotilla", 30, Self.launch), run], above: 50) == Self.launch)
    #expect(try found([(40, "flotilla", 30, ["flotilla", "chat"]), run], above: 50) == Self.line)
  }

  @Test("None where a daemon on another node started the rank, or nobody did")
  func none() throws {
    #expect(try found([(50, "orted", 1, ["orted", "-mca", "ess", "env"])], above: 50) == nil)
    #expect(try found([(40, "bash", 1, ["-bash"])], above: 40) == nil)
    #expect(try found([], above: 40) == nil)
  }
}
