import Foundation
import TestSupport
import Testing

/// Jobs over several network hosts with addresses, links and files of their own, all on this machine.
@Suite(
  "Several network hosts", .serialized,
  .enabled(if: NetworkLab.obstacle == nil, "no network hosts can be made here: \(NetworkLab.obstacle ?? "")"))
struct LabTests {
  @Test("Bundles pushed to the hosts that need them; the bits of one process; the rows cross the network")
  func bits() throws {
    try withTemporaryFolder { folder in
      let hosts = try PreparedHosts(folder)
      let held = (0..<3).map(hosts.bundles)
      #expect(held[0].contains("dense.bundle") && held[1].contains("gates.bundle"))
      #expect(held[0].isDisjoint(with: held[1]) && held[2].isDisjoint(with: held[0].union(held[1])))

      let trace = ["--sha256", "--token-ids", "0,5,77,300,21", "--greedy", "6"]
      let one = try flotilla(["trace", hosts.source] + trace, ranks: nil)
      let before = try hosts.lab.counters()
      let job = try hosts.launch(["trace", hosts.model] + trace)
      #expect(job.status == 0 && job.output == one.output && !one.output.isEmpty, "\(job.errors)")
      let crossed = zip(before, try hosts.lab.counters()).map { ($1.sent - $0.sent, $1.received - $0.received) }
      // Of each of 10 positions, 7 layers: a row of 256 numbers to the router, and rows back.
      let rows = 10 * 7 * 256 * 4
      #expect(crossed[0].0 > rows && crossed[0].1 > rows && crossed[1].1 > rows, "\(crossed)")
      #expect(crossed[2].0 > rows / 4 && crossed[2].1 > rows / 8, "\(crossed)")
      #expect(try hosts.lab.leftovers(within: 5) == [] && job.isClean)
    }
  }

  @Test("--install brings the program to a host that has another one of the same size and time")
  func install() throws {
    try withTemporaryFolder { folder in
      let lab = try NetworkLab(hosts: 2, in: folder)
      let program = URL(filePath: try Job.executable("flotilla")).resolvingSymlinksInPath()
      let resources = program.deletingLastPathComponent().appending(path: "Flotilla_Inference.resources").filePath
      let places = (0..<2).map { lab.folder.appending(path: "n\($0)/private").filePath }
      for words in [
        ["cp", "-r", program.filePath, resources, places[0]], ["cp", "-p", places[0] + "/flotilla", places[1]],
        ["sh", "-c", "printf '\\377' | dd of=\(places[1])/flotilla bs=1 seek=5000 conv=notrunc"],
        ["touch", "-r", places[0] + "/flotilla", places[1] + "/flotilla"],
      ] {
        let (status, text) = try Shell.run(words)
        try #require(status == 0, "\(words): \(text)")
      }
      #expect(try Shell.run(["cmp", places[0] + "/flotilla", places[1] + "/flotilla"]).status == 1)
      func launch(_ options: [String]) throws -> (status: Int32, text: String) {
        try Shell.run(
          lab.command + ["on", "n0", lab.privateFolder + "/flotilla", "launch", "-q", "--hosts", "n0:1,n1:1"]
            + ["--rsh", lab.agent] + options + ["--"] + LaunchTests.sum + ["-q"])
      }
      let refused = try launch([])
      #expect(refused.status == 2 && refused.text.contains("on n1: expected this very program, found another one"))
      let job = try launch(["--install"])
      #expect(job.status == 0 && job.text.hasSuffix("734\n"), "\(job.text)")
      #expect(try Shell.run(["cmp", places[0] + "/flotilla", places[1] + "/flotilla"]).status == 0)
    }
  }

  @Test("The lab refuses what makes no sense and takes itself down")
  func tool() throws {
    try withTemporaryFolder { folder in
      var lab: NetworkLab? = try NetworkLab(hosts: 2, links: ["--buffer", "64"], in: folder)
      let command = try #require(lab).command
      #expect(try lab?.run("on", "n1", "hostname") == ["n1"])
      #expect(try lab?.run("agent", "n0", "grep", "n1", "/etc/hosts") == ["10.77.0.2 n1"])
      #expect(try lab?.run("drops") == ["0"])
      for (words, status, text) in [
        (["up", "2"], 1, "already up"), (["up", "99"], 2, "HOSTS: expected a number from 1 to 16, found '99'"),
        (["up", "2", "--rate"], 2, "--rate: expected a value"), (["on", "n7", "true"], 2, "found 'n7'"),
        (["crash"], 2, "crash: expected a host"), (["fly"], 2, "usage: lab"),
      ] {
        let (found, output) = try Shell.run(command + words)
        #expect(found == status && output.contains(text), "\(words): \(output)")
      }
      lab = nil
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.filePath) == [])
    }
  }

  @Test("A host that crashes loses its processes, link and memory, keeps its bundles, and comes back")
  func crash() throws {
    try withTemporaryFolder { folder in
      let lab = try NetworkLab(hosts: 2, in: folder)
      try Data("a".utf8).write(to: lab.folder.appending(path: "n1/private/a.bundle"))
      try lab.run("on", "n1", "sh", "-c", "echo x >/dev/shm/x; echo x >\"$TMPDIR/x\"")
      let process = ChildProgram()
      process.executableURL = URL(filePath: "/usr/bin/env")
      process.arguments = lab.command + ["on", "n1", "sleep", "300"]
      try process.run()
      while try lab.run("leftovers").count < 3 { usleep(10_000) }
      try lab.run("crash", "n1")
      process.waitUntilExit()
      #expect(try lab.run("leftovers") == [])
      // Nobody listens at that port: a host that is there says so.
      func knock(seconds: Int) throws -> (status: Int32, text: String) {
        try Shell.run(lab.command + ["on", "n0", "timeout", "\(seconds)", "bash", "-c", "exec 3<>/dev/tcp/n1/9"])
      }
      #expect(try knock(seconds: 1).status == 124)
      try lab.run("unblock", "n1")
      // The kernel asks for an address that did not answer only once a second.
      #expect(try knock(seconds: 30).text.contains("Connection refused"))
      #expect(try lab.run("on", "n1", "cat", lab.privateFolder + "/a.bundle") == ["a"])
    }
  }
}

/// Three network hosts that each hold the bundles that their rank needs, and nothing else.
struct PreparedHosts {
  let lab: NetworkLab
  /// The prepared model here, all of it.
  let source: String
  /// The path of the bundles on each host.
  var model: String { lab.privateFolder }
  private let folder: URL

  init(_ folder: URL, links: [String] = []) throws {
    self.folder = folder
    let mini = folder.appending(path: "mini").filePath
    source = folder.appending(path: "prepared").filePath
    for arguments in [
      // Busy for seconds.
      ["synthesize", mini, "--like", "mini", "--seed", "1", "--quiet"],
      ["prepare", mini, source, "--quant", "q8_0", "--quiet"],
    ] {
      let made = try flotilla(arguments, ranks: nil)
      try #require(made.status == 0, "\(made.errors)")
    }
    lab = try NetworkLab(hosts: 3, links: links)
    try push(to: [0, 1, 2])
  }

  /// Brings the bundles that a rank on each of these hosts needs, beside those that are there.
  func push(to hosts: [Int]) throws {
    let file = folder.appending(path: "hosts").filePath
    try hosts.map { "n\($0) slots=1\n" }.joined().write(toFile: file, atomically: true, encoding: .utf8)
    let push = try flotilla(["push", source, "--hostfile", file, "--to", model, "--rsh", lab.agent], ranks: nil)
    try #require(push.output.contains { $0.hasPrefix("Pushed: \(hosts.count) nodes verified") }, "\(push.errors)")
  }

  /// Brings all bundles to all hosts.
  func copyEverything() throws {
    for host in 0..<3 {
      let target = lab.folder.appending(path: "n\(host)/private").filePath
      let (status, text) = try Shell.run(["cp", "-r", source + "/.", target])
      try #require(status == 0, "\(text)")
    }
  }

  func bundles(_ host: Int) -> Set<String> {
    let path = lab.folder.appending(path: "n\(host)/private").filePath
    let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    return Set(names.filter { $0.hasSuffix(".bundle") })
  }

  /// A command through `flotilla launch`, which runs on the first of the hosts, with a rank on each of them.
  ///
  /// - Parameters:
  ///   - options: of `launch`.
  ///   - folder: for temporary files of the launcher; nil: one on the disk that all hosts share.
  func launch(
    _ command: [String], on hosts: [Int] = [0, 1, 2], options: [String] = [], temporary folder: String? = nil,
    meanwhile: (Job.Running) -> Bool = { _ in true }
  ) throws -> Job {
    let names = hosts.map { "n\($0):1" }.joined(separator: ",")
    // All hosts share this machine's cores, which mpirun cannot know: ranks that wait must yield.
    let words = "-x FLOTILLA_TEST_MARK --mca mpi_yield_when_idle 1"
    return try Job(
      "flotilla", ["launch", "-q", "--hosts", names, "--rsh", lab.agent, "--mpi", words] + options + ["--"] + command,
      ranks: nil, starter: lab.command + ["on", "n\(hosts[0])"] + (folder.map { ["env", "TMPDIR=\($0)"] } ?? []),
      meanwhile: meanwhile)
  }

  /// The same with plain mpirun on host 0 over all hosts, which notices a lost node within three seconds.
  func mpirun(_ command: [String], meanwhile: (Job.Running) -> Bool) throws -> Job {
    let keepalive = [("time", "1"), ("intvl", "1"), ("probes", "2")]
      .flatMap { ["--mca", "oob_tcp_keepalive_\($0.0)", $0.1] }
    return try Job(
      "flotilla", command, ranks: nil, starter: lab.command + ["mpirun", "-x", "FLOTILLA_TEST_MARK"] + keepalive,
      meanwhile: meanwhile)
  }
}
