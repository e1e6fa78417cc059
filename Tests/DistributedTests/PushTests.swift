import Foundation
import TestSupport
import Testing

@Suite("Push", .serialized)
struct PushTests {
  /// The path under which push looks for flotilla first.
  private static let own =
    (try? Job.executable("flotilla")).map { URL(filePath: $0).resolvingSymlinksInPath().filePath } ?? ""

  private func experts(_ range: ClosedRange<Int>) -> [String] {
    range.map { "expert-" + String(repeating: "0", count: $0 < 10 ? 2 : 1) + "\($0).bundle" }
  }

  /// The hash of the logits of three ranks, each with a folder of its own.
  private func hash(_ folders: [URL], _ more: [String]) throws -> String? {
    func arguments(_ folder: URL) -> [String] {
      ["trace", folder.filePath, "--sha256", "--token-ids", "0,5,77,300,21", "--greedy", "4"] + more
    }
    let others = try folders.dropFirst().flatMap {
      [":", "-n", "1", try Job.executable("flotilla")] + arguments($0)
    }
    let job = try flotilla(arguments(folders[0]), ranks: 1, more: others)
    #expect(job.status == 0, "\(job.errors)")
    return job.output.first
  }

  @Test("Each node gets exactly its bundles; again sends nothing; the same bits from the nodes' folders")
  func exact() throws {
    try withTemporaryFolder { folder in
      let lab = try PushLab(folder)
      let dry = try lab.push(["--dry-run", "--coordinator-experts", "2"])
      #expect(dry.status == 0 && dry.output.contains { $0.contains("rsync --times --checksum") }, "\(dry.errors)")
      #expect((0..<3).allSatisfy { lab.names($0) == [] })
      // The folder once, and how many; JSON has each file.
      let counts = ["3 bundles", "8 bundles", "7 bundles"]
      for count in counts { #expect(dry.output.count { $0.contains("/{\(count)} 'n") } == 1, "\(dry.output)") }
      #expect(!dry.output.contains { $0.contains("expert-") })
      let whole = try lab.push(["--dry-run", "--coordinator-experts", "2", "--json"])
      #expect(whole.output.contains { $0.contains("expert-001.bundle") && !$0.contains("{8 bundles}") })

      let first = try lab.push(["--coordinator-experts", "2"])
      #expect(first.status == 0 && first.survivors == [], "\(first.errors)")
      #expect(first.output.contains { $0.hasPrefix("Pushed: 3 nodes verified") }, "\(first.output)")
      let small = try lab.smallFiles
      #expect(lab.names(0) == (small + ["dense.bundle"] + experts(0...1)).sorted())
      #expect(lab.names(1) == (small + ["gates.bundle"] + experts(2...8)).sorted())
      #expect(lab.names(2) == (small + experts(9...15)).sorted())
      #expect((0..<3).allSatisfy(lab.isSame))
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: lab.source.filePath).allSatisfy { !$0.hasPrefix(".") })

      let again = try lab.push(["--coordinator-experts", "2", "--json"])
      #expect(again.status == 0)
      let end = try #require(again.output.last)
      #expect(end.contains("\"event\":\"finished\"") && end.contains("\"sent\":0"), "\(end)")
      #expect(
        again.output.filter { $0.contains("\"phase\":\"finished\"") && $0.contains("\"verifier\":\"flotilla ") }.count
          == 3)

      let bits = try #require(try hash((0..<3).map(lab.node), ["--coordinator-experts", "2"]))
      #expect(try bits == hash([lab.source, lab.source, lab.source], []))

      // What each of the three ranks holds is verified where it is, by the rank's own bundles.
      let verified = try flotilla(
        ["inspect", lab.node(1).filePath, "--verify", "--bundles", "gates,2-8", "--json"], ranks: nil)
      #expect(verified.status == 0 && verified.output.last?.contains("\"damaged\":0") == true, "\(verified.output)")
    }
  }

  @Test("Two copies, mtp, and a placement file")
  func copies() throws {
    try withTemporaryFolder { folder in
      let lab = try PushLab(folder)
      let file = try scatteredPlacement(experts: 16, ranks: 3, in: folder)
      let job = try lab.push(["--placement", file, "--copies", "2", "--mtp", "--quiet"])
      #expect(job.status == 0 && job.output == [] && job.errors == [], "\(job.errors)")
      for bundle in ["dense.bundle", "gates.bundle", "mtp.bundle"] + experts(0...15) {
        #expect((0..<3).count { lab.names($0).contains(bundle) } == 2, "\(bundle)")
      }
      #expect((0..<3).allSatisfy(lab.isSame))
    }
  }

  @Test("A bit that flipped there is named with node, file and tensor, and sent again")
  func flipped() throws {
    try withTemporaryFolder { folder in
      let lab = try PushLab(folder)
      #expect(try lab.push().status == 0)
      try lab.flip(2, "expert-015.bundle", at: 5000)
      try lab.flip(2, "expert-014.bundle", at: 100)
      let job = try lab.push()
      let warnings = job.errors.filter { $0.hasPrefix("warning: ") }
      #expect(warnings.count == 2 && job.status == 0, "\(job.errors)")
      #expect(warnings[0].hasPrefix("warning: n2: expert-014.bundle: header: "), "\(warnings)")
      #expect(warnings[1].hasPrefix("warning: n2: expert-015.bundle: tensor model.layers.1.mlp.experts.15."))
      #expect(lab.isSame(2))

      // Asked for and not there; then another version there, in whose place sha256sum comes.
      let program = folder.appending(path: "flotilla").filePath
      let absent = try lab.push(["--flotilla", program])
      #expect(absent.status == 1 && absent.complaints.count == 3, "\(absent.errors)")
      #expect(absent.complaints[0].contains("n0: --flotilla: expected version"), "\(absent.errors)")
      try lab.agent(
        """
        PATH=/usr/bin:/bin
        [ "$1" = sh ] && exec sh -c "sed 's|\(Self.own)|/no/flotilla|g' | sh"
        """)
      try lab.flip(0, "dense.bundle", at: 9000)
      let hashes = try lab.push()
      #expect(hashes.status == 0, "\(hashes.errors)")
      #expect(hashes.errors.filter { $0.contains("verifying with sha256sum") }.count == 3, "\(hashes.errors)")
      #expect(hashes.errors.contains { $0.hasPrefix("warning: n0: dense.bundle: sha256: expected ") })
      #expect(lab.isSame(0))
      // Damage in the folder that is pushed is not brought to anybody as right.
      try lab.flip(0, "dense.bundle", at: 9000)
      try FileManager.default.removeItem(at: lab.source.appending(path: "dense.bundle"))
      try FileManager.default.copyItem(
        at: lab.node(0).appending(path: "dense.bundle"), to: lab.source.appending(path: "dense.bundle"))
      let damaged = try lab.push()
      #expect(damaged.status == 1, "\(damaged.errors)")
      #expect(
        damaged.complaints.first?.hasPrefix("error: n0: the folder that is pushed is damaged itself: dense.bundle: ")
          == true, "\(damaged.errors)")
    }
  }

  @Test("Killed in the middle, by us, by nobody's leave, at the far end: the same command goes on")
  func resume() throws {
    try withTemporaryFolder { folder in
      let lab = try PushLab(folder, nodes: 2)
      let slow = ["--bwlimit", "200k"]
      for (signal, status) in [(SIGINT, 130), (SIGTERM, 130), (SIGKILL, 9)] as [(Int32, Int32)] {
        let job = try lab.push(slow) { running in
          guard (lab.names(0) + lab.names(1)).contains(where: { $0.hasSuffix(".bundle") }) else { return false }
          kill(running.process, signal)
          return true
        }
        #expect(job.status == status && job.survivors == [], "\(job.errors) \(job.survivors)")
        #expect(!lab.names(0).contains("manifest.json") && !lab.names(1).contains("manifest.json"))
        if signal != SIGKILL { #expect(job.errors.contains { $0.contains("the same command goes on from there") }) }
        try FileManager.default.removeItem(at: folder.appending(path: "nodes"))
      }
      // What a killed rsync leaves under a temporary name is gone on with, and nothing of it stays.
      let stage = lab.node(1).appending(path: ".push")
      try FileManager.default.createDirectory(at: stage, withIntermediateDirectories: true)
      let bundle = try Data(contentsOf: lab.source.appending(path: "expert-015.bundle"))
      try bundle.prefix(bundle.count / 2).write(to: stage.appending(path: "expert-015.bundle.Ab12Cd"))
      let dry = try lab.push(["--dry-run"])
      #expect(dry.status == 0, "\(dry.errors)")
      let last = try lab.push()
      #expect(last.status == 0, "\(last.errors)")
      #expect((0..<2).allSatisfy(lab.isSame) && !lab.names(1).contains(".push"))
    }
  }

  @Test("A connection that breaks is tried again")
  func broken() throws {
    try withTemporaryFolder { folder in
      let lab = try PushLab(folder, nodes: 1)
      try lab.agent("if [ \"$1\" != sh ] && [ ! -e broken ]; then touch broken; exit 255; fi")
      let job = try lab.push()
      #expect(job.status == 0 && job.errors.contains { $0.hasPrefix("warning: n0: ") && $0.hasSuffix("trying again") })
      #expect(lab.isSame(0))
    }
  }

  @Test("Shared file systems: nothing is sent twice")
  func shared() throws {
    try withTemporaryFolder { folder in
      let lab = try PushLab(folder)
      // n1 and n2 see one folder, n0 the source.
      let nodes = folder.appending(path: "nodes")
      for name in ["n0", "n1"] {
        try FileManager.default.createDirectory(at: nodes.appending(path: name), withIntermediateDirectories: true)
      }
      try FileManager.default.createSymbolicLink(at: lab.node(0), withDestinationURL: lab.source)
      try FileManager.default.createSymbolicLink(
        at: nodes.appending(path: "n2"), withDestinationURL: nodes.appending(path: "n1"))
      let job = try lab.push(["--coordinator-experts", "2"])
      #expect(job.status == 0, "\(job.errors)")
      #expect(job.errors.contains { $0.contains("n0: sees this very folder on a shared file system") }, "\(job.errors)")
      #expect(job.errors.contains { $0.contains("n2: sees the folder of n1") })
      #expect(job.output.contains { $0.hasSuffix("; 2 on a shared file system.") })
      #expect(lab.names(1) == (try lab.smallFiles + ["gates.bundle"] + experts(2...15)).sorted() && lab.isSame(1))
    }
  }

  @Test("What stands in the way is told of all nodes, before anything is sent")
  func obstacles() throws {
    try withTemporaryFolder { folder in
      let lab = try PushLab(folder)
      try FileManager.default.createDirectory(at: lab.node(1), withIntermediateDirectories: true)
      try Data().write(to: lab.node(1).appending(path: "thesis.tex"))
      let other = try flotilla(
        ["prepare", Fixtures.url("tiny-f32").filePath, lab.node(2).filePath, "--quiet"], ranks: nil)
      #expect(other.status == 0)
      try lab.agent(
        """
        if [ "$host" = n0 ]; then echo 'ssh: Could not resolve hostname n0: Name or service not known' >&2; exit 255; fi
        """)
      let job = try lab.push()
      #expect(job.status == 1 && job.complaints.count == 3, "\(job.errors)")
      #expect(job.complaints[0].hasPrefix("error: n0: not reachable (code 255): ssh: Could not resolve hostname n0"))
      #expect(job.complaints[1].hasPrefix("error: n1: to it: expected a new or empty folder"), "\(job.complaints)")
      #expect(
        job.complaints[2].contains("n2: to it: expected tiny-mtp in") && job.complaints[2].contains("found tiny-f32"))
      #expect(lab.names(1) == ["thesis.tex"])

      let usage = try lab.push(["--copies", "4"])
      #expect(usage.status == 2 && usage.complaints.first?.contains("--copies: expected 1 to 3") == true)
      try "n0\n".write(toFile: lab.hostfile, atomically: true, encoding: .utf8)
      let hosts = try lab.push()
      #expect(hosts.status == 2 && hosts.complaints.first?.contains("line 1, column 1: expected slots=N") == true)
    }
  }

  @Test("A disk that is too small: how many bytes are missing where")
  func smallDisk() throws {
    try withTemporaryFolder { folder in
      let lab = try PushLab(folder, nodes: 2)
      let tools = folder.appending(path: "tools")
      try FileManager.default.createDirectory(at: tools, withIntermediateDirectories: true)
      try Executable.write("#!/bin/sh\necho 'x 9 9 1024 9% /'\n", to: tools.appending(path: "df").filePath)
      try lab.agent("[ $host = n1 ] && PATH=\"\(tools.filePath):$PATH\"")
      let job = try lab.push()
      #expect(job.status == 1 && job.complaints.count == 1, "\(job.errors)")
      #expect(job.complaints[0].contains("error: n1: to it: expected room for"), "\(job.errors)")
      #expect(job.complaints[0].hasSuffix("MiB are missing") && lab.names(0) == [])
    }
  }
}
