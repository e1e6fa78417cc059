import ExpertParallel
import Foundation
import TestSupport
import Testing

/// What an uncommon hostfile, a shared disk or a second push does.
@Suite("Push: order, locks, sharing", .serialized)
struct PushFaultTests {
  private func names(_ folder: URL) -> Set<String> {
    Set((try? FileManager.default.contentsOfDirectory(atPath: folder.filePath)) ?? [])
  }

  @Test("This machine holds rank 0 wherever the hostfile has it, in push and in launch")
  func thisMachineFirst() throws {
    try withTemporaryFolder { folder in
      let lab = try PushLab(folder)
      try lab.setHosts("n0 slots=1\nlocalhost slots=1\nn2 slots=1\n")
      let job = try lab.push(["--coordinator-experts", "2"])
      #expect(job.status == 0, "\(job.errors)")
      #expect(names(lab.node("localhost")).contains("dense.bundle"))
      #expect(names(lab.node("n0")).contains("gates.bundle") && !names(lab.node("n0")).contains("dense.bundle"))
      #expect(job.errors.contains { $0.hasPrefix("note: ranks are counted from this machine on") })

      let agent = "'" + folder.appending(path: "the agent").filePath + "'"
      let launch = try flotilla(
        ["launch", "--hostfile", lab.hostfile, "--rsh", agent, "--dry-run", "--quiet", "--", "generate", "-p", "a"],
        ranks: nil)
      #expect(launch.output.first?.contains("--host localhost:1,n0:1,n2:1 ") == true, "\(launch.errors)")
      let listed = try flotilla(
        ["launch", "--hosts", "n0,localhost:2", "--rsh", agent, "--dry-run", "--quiet", "--", "generate", "-p", "a"],
        ranks: nil)
      #expect(listed.output.first?.contains("--host localhost:2,n0:") == true, "\(listed.output) \(listed.errors)")
    }
  }

  @Test("Nodes whose ranks read nothing get the small files, verified")
  func noBundles() throws {
    try withTemporaryFolder { folder in
      let lab = try PushLab(folder)
      let placement = try Placement(owners: [Int](repeating: 0, count: 16), ranks: 3, coordinator: 0, router: 0)
      let file = folder.appending(path: "placement.json").filePath
      try placement.json.write(toFile: file, atomically: true, encoding: .utf8)
      let job = try lab.push(["--placement", file])
      #expect(job.status == 0, "\(job.errors)")
      #expect(lab.names(1) == (try lab.smallFiles.sorted()) && lab.names(2) == lab.names(1))
      #expect(job.errors.contains { $0.contains("n1: done") && $0.contains("0 bundles verified by flotilla") })
    }
  }

  @Test("An unfinished push is told apart, and the line to run comes last")
  func unfinished() throws {
    try withTemporaryFolder { folder in
      let lab = try PushLab(folder, nodes: 1)
      let target = folder.appending(path: "absolute/model")
      let job = try lab.push(["--bwlimit", "200k", "--to", target.filePath]) { running in
        guard names(target).contains(where: { $0.hasSuffix(".bundle") }) else { return false }
        kill(running.process, SIGINT)
        return true
      }
      #expect(job.status == 130, "\(job.errors)")
      #expect(!names(target.appending(path: ".push")).contains(".lock"))
      let run = try flotilla(["generate", target.filePath, "-p", "a"], ranks: nil)
      #expect(run.status == 2 && run.errors.contains("hint: Run the same flotilla push again: it goes on."))
      let last = try lab.push(["--to", target.filePath])
      #expect(last.status == 0, "\(last.errors)")
      let line = try #require(last.output.last)
      #expect(line.hasSuffix("-- generate \(target.filePath) -p \"…\""), "\(line)")
      #expect(line.contains("/flotilla launch --hostfile \(lab.hostfile) --map-by node --rsh "), "\(line)")
    }
  }

  @Test("Two pushes at once: the second one is told of the first; a lock of a killed one is seen through")
  func lock() throws {
    try withTemporaryFolder { folder in
      let lab = try PushLab(folder, nodes: 2)
      var second: Job?
      var pusher: pid_t = 0
      let first = try lab.push(["--bwlimit", "100k"]) { running in
        let stages = (0..<2).map { lab.node($0).appending(path: ".push") }
        guard stages.allSatisfy({ names($0).contains(".lock") }) else { return false }
        pusher = running.process
        second = try? lab.push()
        return true
      }
      #expect(first.status == 0, "\(first.errors)")
      #expect(second?.status == 1 && second?.complaints.count == 2, "\(second?.errors ?? [])")
      #expect(
        second?.complaints.first?.hasSuffix(
          "to it: expected a folder that no other push writes to, found that of process \(pusher) on "
            + ProcessInfo.processInfo.hostName) == true, "\(second?.errors ?? [])")
      // Of another machine nobody knows.
      try FileManager.default.createDirectory(
        at: lab.node(1).appending(path: ".push"), withIntermediateDirectories: true)
      let file = lab.node(1).appending(path: ".push/.lock")
      try "r elsewhere 1 1\n".write(to: file, atomically: true, encoding: .utf8)
      let foreign = try lab.push()
      #expect(foreign.status == 1 && foreign.complaints.count == 1, "\(foreign.errors)")
      #expect(foreign.errors.contains { $0.hasPrefix("hint: ") && $0.contains("remove to it/.push/.lock there") })
      try "r \(ProcessInfo.processInfo.hostName) 1 1\n".write(to: file, atomically: true, encoding: .utf8)
      #expect(try lab.push().status == 0)
    }
  }

  @Test("Copies on one file system are no copies; names that rsync would match are refused")
  func copies() throws {
    try withTemporaryFolder { folder in
      let lab = try PushLab(folder, nodes: 2)
      let nodes = folder.appending(path: "nodes")
      try FileManager.default.createDirectory(at: nodes.appending(path: "n0"), withIntermediateDirectories: true)
      try FileManager.default.createSymbolicLink(
        at: nodes.appending(path: "n1"), withDestinationURL: nodes.appending(path: "n0"))
      let job = try lab.push(["--copies", "2"])
      #expect(job.status == 0, "\(job.errors)")
      #expect(
        job.errors.contains {
          $0.hasPrefix("warning: n1: ") && $0.hasSuffix("--copies 2 does not hold for dense,gates,0-15")
        },
        "\(job.errors)")
      for folder in ["~", "/m/g*b"] {
        let refused = try lab.push(["--to", folder])
        #expect(refused.status == 2 && refused.complaints.first?.contains("--to: expected a folder") == true)
      }
    }
  }
}
