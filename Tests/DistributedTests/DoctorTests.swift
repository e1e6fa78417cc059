import Foundation
import Inference
import StrictJSON
import TestSupport
import Testing

/// Nodes are folders here: a stand-in for ssh enters a node's folder, for the doctor's scripts as for mpirun's daemons.
@Suite("Doctor", .serialized)
struct DoctorTests {
  private struct Lab {
    let folder: URL
    var hostfile: String { folder.appending(path: "hosts").filePath }
    var agent: String { folder.appending(path: "agent").filePath }
    var model: URL { folder.appending(path: "model") }

    /// - Parameter model: a fixture that is prepared and pushed; nil: none.
    init(_ folder: URL, nodes: Int = 3, model: String? = nil) throws {
      self.folder = folder
      try (0..<nodes).map { "n\($0) slots=1\n" }.joined().write(toFile: hostfile, atomically: true, encoding: .utf8)
      try setAgent()
      guard let model else { return }
      let prepared = try flotilla(
        ["prepare", Fixtures.url(model).filePath, self.model.filePath, "--quiet"], ranks: nil)
      try #require(prepared.status == 0, "\(prepared.errors)")
      let pushed = try flotilla(
        ["push", self.model.filePath, "--hostfile", hostfile, "--rsh", agent, "--to", "model", "--quiet"], ranks: nil)
      try #require(pushed.status == 0, "\(pushed.errors)")
    }

    /// - Parameter setting: what a node's shell is to do first.
    func setAgent(_ setting: String = "") throws {
      let script = """
        #!/bin/sh
        host=$1
        shift
        mkdir -p "\(folder.filePath)/nodes/$host" && cd "\(folder.filePath)/nodes/$host" || exit 255
        # Jobs that end at the same time remove the folder in which daemons of all nodes would begin theirs.
        export TMPDIR="$PWD"
        \(setting)
        exec sh -c "$*"
        """
      try Executable.write(script, to: agent)
    }

    func node(_ index: Int, _ file: String) -> URL { folder.appending(path: "nodes/n\(index)/model/\(file)") }

    func doctor(_ more: [String]) throws -> (job: Job, report: JSONValue) {
      let job = try flotilla(
        ["doctor", "--hostfile", hostfile, "--rsh", agent, "--json", "--quiet"] + more, ranks: nil)
      #expect(job.survivors == [] && job.segments == [])
      return (job, try StrictJSON.parse(job.output.joined(separator: "\n")))
    }
  }

  /// "n1 files", of each red finding.
  private func red(_ report: JSONValue) -> [String] {
    (report["findings"]?.array ?? []).filter { $0["grade"]?.string == "red" }.map {
      "\($0["node"]?.string ?? "all") \($0["subject"]?.string ?? "")"
    }
  }

  private func text(_ report: JSONValue, _ node: String, _ subject: String) -> String {
    let found = (report["findings"]?.array ?? []).filter {
      $0["node"]?.string == node && $0["subject"]?.string == subject
    }
    return found.compactMap { $0["text"]?.string }.joined(separator: "; ")
  }

  @Test("Three nodes with what they need: no red line; every link measured in both directions")
  func healthy() throws {
    try withTemporaryFolder { folder in
      let lab = try Lab(folder, model: "tiny-mtp")
      let (job, report) = try lab.doctor([lab.model.filePath, "--at", "model", "--verify"])
      #expect(job.status == 0 && red(report) == [], "\(job.errors) \(job.output)")
      for node in ["n0", "n1", "n2"] {
        #expect(text(report, node, "files").hasSuffix("hashes as in the manifest"))
        #expect(text(report, node, "flotilla").contains("the same binary"))
        #expect(text(report, node, "memory").contains("needed"))
      }
      let links = report["examination"]?["network"]?["measurement"]?["links"]?.array ?? []
      #expect(
        links.map { [$0["from"]?.int, $0["to"]?.int] } == [[0, 1], [0, 2], [1, 0], [1, 2], [2, 0], [2, 1]])
      #expect(links.allSatisfy { $0["latency_seconds"]?.double ?? 0 > 0 && $0["bytes_per_second"]?.double ?? 0 > 1e6 })
    }
  }

  @Test("Faults put in on purpose: another binary, a damaged bundle, a missing one; all told at once")
  func faults() throws {
    try withTemporaryFolder { folder in
      let lab = try Lab(folder, model: "tiny-mtp")
      let own = URL(filePath: try Job.executable("flotilla")).resolvingSymlinksInPath()
      let other = folder.appending(path: "flotilla")
      try Executable.writeOther(than: own, to: other.filePath)
      try lab.setAgent(
        """
        [ $host = n1 ] && [ "$1" = sh ] && exec sh -c "sed 's|\(own.filePath)|\(other.filePath)|g' | sh"
        """)
      let bundle = lab.node(2, "expert-015.bundle")
      var bytes = try Data(contentsOf: bundle)
      bytes[bytes.count / 2] ^= 4
      try bytes.write(to: bundle)
      try FileManager.default.removeItem(at: lab.node(0, "dense.bundle"))
      let (job, report) = try lab.doctor([lab.model.filePath, "--at", "model", "--verify", "--no-links"])
      #expect(job.status == 3 && red(report) == ["n0 files", "n1 flotilla", "n2 files"], "\(job.errors) \(job.output)")
      #expect(text(report, "n0", "files").contains("missing: dense.bundle"))
      #expect(text(report, "n1", "flotilla").contains("another binary"))
      #expect(text(report, "n2", "files").contains("damaged: expert-015.bundle: tensor "))
    }
  }

  @Test("A model that was never pushed, and one of other weights")
  func models() throws {
    try withTemporaryFolder { folder in
      let lab = try Lab(folder, nodes: 2, model: "tiny-mtp")
      let absent = try lab.doctor([lab.model.filePath, "--at", "elsewhere", "--no-links"])
      #expect(absent.job.status == 1 && red(absent.report) == ["n0 files", "n1 files"])
      #expect(text(absent.report, "n0", "files") == "nothing at elsewhere")
      let manifest = lab.node(1, "manifest.json")
      try Data("{}".utf8).write(to: manifest)
      let other = try lab.doctor([lab.model.filePath, "--at", "model", "--no-links"])
      #expect(other.job.status == 1 && red(other.report) == ["n1 files"])
      #expect(text(other.report, "n1", "files").contains("another manifest"))
    }
  }

  @Test("Too little memory for what the placement puts there")
  func memory() throws {
    try withTemporaryFolder { folder in
      let lab = try Lab(folder, nodes: 2)
      let (job, report) = try lab.doctor(["--like", "r1", "--quant", "q4_K", "--no-links", "-c", "1"])
      #expect(job.status == 1 && red(report).contains("n1 memory"), "\(job.output)")
      #expect(text(report, "n1", "memory").contains("missing"))
      #expect(text(report, "n1", "disk").hasSuffix(" GiB of bundles for its ranks"))
    }
  }

  @Test("Shares of the dense part are counted where a run would hold them")
  func shares() throws {
    try withTemporaryFolder { folder in
      let lab = try Lab(folder, nodes: 2)
      try "n0 slots=2\nn1 slots=1\n".write(toFile: lab.hostfile, atomically: true, encoding: .utf8)
      func needs(_ options: [String]) throws -> [(bytes: Int, roles: [String])] {
        let line = ["--like", "bench-3b", "--quant", "q4_K", "--no-links", "-c", "1"]
        let (job, report) = try lab.doctor(line + options)
        let nodes = report["examination"]?["nodes"]?.array ?? []
        try #require(nodes.count == 2, "\(job.errors) \(job.output)")
        return nodes.map { node in
          (node["need"]?["memory_bytes"]?.int ?? 0, node["need"]?["roles"]?.array?.compactMap(\.string) ?? [])
        }
      }
      let (none, host) = (try needs(["--dense-slices", "none"]), try needs(["--dense-slices", "host"]))
      let (open, all) = (try needs([]), try needs(["--dense-slices", "all"]))
      // 94 MB of bench-3b can be divided: by the two ranks of n0, or by all three.
      let half = host[0].bytes - none[0].bytes
      #expect((40_000_000...60_000_000).contains(half) && host[1] == none[1])
      #expect(open[0] == host[0] && open[1] == host[1])
      for node in 0..<2 { #expect(abs(all[node].bytes - none[node].bytes - half * 2 / 3) <= 2) }
      #expect(open[0].roles.last == "slices" && !open[1].roles.contains("slices"))
    }
  }

  @Test("A range that no node has an address in, and a node that is down: no job is started for nothing")
  func network() throws {
    try withTemporaryFolder { folder in
      let lab = try Lab(folder, nodes: 2)
      let (job, report) = try lab.doctor(["--network", "203.0.113.0/24", "--no-links"])
      #expect(job.status == 3 && red(report) == ["n0 network", "n1 network"], "\(job.output)")
      try lab.setAgent("[ $host = n1 ] && { echo 'ssh: connect to host n1 port 22: No route to host' >&2; exit 255; }")
      let down = try lab.doctor([])
      #expect(down.job.status == 3 && red(down.report) == ["n1 reached"], "\(down.job.output)")
      #expect(text(down.report, "n1", "reached").contains("No route to host"))
      #expect(down.report["examination"]?["network"] == nil)
    }
  }

  @Test("A bug report without names")
  func bundle() throws {
    try withTemporaryFolder { folder in
      let lab = try Lab(folder, nodes: 2)
      let file = folder.appending(path: "report.json")
      let job = try flotilla(
        [
          "doctor", "--hostfile", lab.hostfile, "--rsh", lab.agent, "--no-links", "--bundle", file.filePath, "--redact",
          "--color", "always",
        ], ranks: nil)
      #expect(job.status == 0, "\(job.errors)")
      #expect(job.output.contains { $0.contains("\u{1B}[32mgreen") } && job.output.contains { $0.contains("node-2") })
      let text = try String(contentsOf: file, encoding: .utf8)
      let report = try StrictJSON.parse(text)
      #expect(report["surroundings"]?["hostfile"]?.string == "node-1 slots=1\nnode-2 slots=1\n")
      #expect(!text.contains(folder.lastPathComponent) && !text.contains("\"n0\""))
    }
  }

  @Test("This machine alone")
  func alone() throws {
    let job = try flotilla(["doctor", "--quiet"], ranks: nil)
    #expect(job.status == 0 && job.output.first == "Doctor: 1 node, 1 rank", "\(job.output) \(job.errors)")
    #expect(job.output.contains { $0.hasPrefix("  green flotilla ") })
    #expect(!job.output.contains { $0.contains("\u{1B}") })
  }

  @Test("A cluster is measured and described in one command; Ctrl-C leaves nothing")
  func calibrate() throws {
    try withTemporaryFolder { folder in
      let lab = try Lab(folder, nodes: 2)
      let file = folder.appending(path: "cluster.json")
      func calibrate(_ more: [String], meanwhile: (Job.Running) -> Bool = { _ in true }) throws -> Job {
        try flotilla(
          ["calibrate", "--hostfile", lab.hostfile, "--rsh", lab.agent, "-o", file.filePath] + more, ranks: nil,
          meanwhile: meanwhile)
      }
      let job = try calibrate(["-r", "2", "--buffer", "8", "-t", "1", "--note", "two folders"])
      #expect(job.status == 0 && job.survivors == [] && job.segments == [], "\(job.errors)")
      let cluster = try ClusterDescription.load(file)
      #expect(cluster.nodes.map(\.name) == ["n0", "n1"] && cluster.note == "two folders")
      #expect(
        cluster.nodes.allSatisfy { $0.readBytesPerSecond.map(\.threads) == [1] && $0.memoryBytes.total > 1 << 28 })
      #expect(cluster.links.bytesPerSecond[0][1] > 0 && cluster.links.latencySeconds[1][0] > 0)
      #expect(cluster.transport.mpi.contains("Open MPI") && cluster.command.hasPrefix("flotilla calibrate"))
      try FileManager.default.removeItem(at: file)
      let start = ContinuousClock.now
      let stopped = try calibrate(["-r", "1000"]) { job in
        guard ContinuousClock.now - start > .seconds(2) else { return false }
        kill(job.process, SIGINT)
        return true
      }
      #expect(stopped.status == 130 && stopped.survivors == [], "\(stopped.errors) \(stopped.survivors)")
      #expect(!FileManager.default.fileExists(atPath: file.filePath))
      try lab.setAgent("echo 'ssh: connect to host there port 22: No route to host' >&2; exit 255")
      let down = try calibrate([])
      #expect(down.status == 1 && down.complaints.count == 2, "\(down.errors)")
      #expect(["n0", "n1"].allSatisfy { node in down.complaints.contains { $0.contains("\(node): reached: ") } })
    }
  }
}
