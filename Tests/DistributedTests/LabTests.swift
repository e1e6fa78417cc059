import Foundation
import Glibc
import TestSupport
import Testing

/// mpirun over several network hosts with addresses, links and files of their own, all on this machine.
@Suite(
  "Several network hosts", .serialized,
  .enabled(if: NetworkLab.obstacle == nil, "no network hosts can be made here: \(NetworkLab.obstacle ?? "")"))
struct LabTests {
  /// So that mpirun notices a lost node within three seconds, before the ranks do.
  private static let keepalive = [
    "--mca", "oob_tcp_keepalive_time", "1", "--mca", "oob_tcp_keepalive_intvl", "1", "--mca",
    "oob_tcp_keepalive_probes", "2",
  ]

  /// A run of flotilla over hosts of a lab, a rank each.
  private func flotilla(
    _ arguments: [String], in lab: NetworkLab, hosts: Int = 3, meanwhile: (Job.Running) -> Bool = { _ in true }
  ) throws -> Job {
    let names = (0..<hosts).map { "n\($0)" }.joined(separator: ",")
    return try Job(
      "flotilla", arguments, ranks: hosts,
      starter: lab.command + ["mpirun", "--host", names, "-x", "FLOTILLA_TEST_MARK"] + Self.keepalive,
      meanwhile: meanwhile)
  }

  private func flotilla(_ arguments: [String]) throws -> Job {
    let job = try DistributedTests.flotilla(arguments, ranks: nil)
    #expect(job.status == 0, "\(job.errors)")
    return job
  }

  /// A model that is busy for seconds.
  private func makeModel(in folder: URL) throws -> String {
    let model = folder.appending(path: "mini").filePath
    _ = try flotilla(["synthesize", model, "--like", "mini", "--seed", "1", "--quiet"])
    return model
  }

  @Test("Bundles pushed to the hosts that need them; the bits of one process; the rows cross the network")
  func bits() throws {
    try withTemporaryFolder { folder in
      let model = try makeModel(in: folder)
      let prepared = folder.appending(path: "prepared").filePath
      _ = try flotilla(["prepare", model, prepared, "--quant", "q8_0", "--quiet"])
      let lab = try NetworkLab(hosts: 3)
      let push = try flotilla([
        "push", prepared, "--hostfile", lab.hostfile, "--to", lab.privateFolder, "--rsh", lab.agent,
      ])
      #expect(push.output.contains { $0.hasPrefix("Pushed: 3 nodes verified") }, "\(push.output)")
      func bundles(_ host: Int) throws -> Set<String> {
        let names = try FileManager.default.contentsOfDirectory(
          atPath: lab.folder.appending(path: "n\(host)/private").filePath)
        return Set(names.filter { $0.hasSuffix(".bundle") })
      }
      let held = try (0..<3).map(bundles)
      #expect(held[0].contains("dense.bundle") && held[1].contains("gates.bundle"))
      #expect(held[0].isDisjoint(with: held[1]) && held[2].isDisjoint(with: held[0].union(held[1])))

      let trace = ["--sha256", "--token-ids", "0,5,77,300,21", "--greedy", "6"]
      let one = try flotilla(["trace", prepared] + trace)
      let before = try lab.counters()
      let job = try flotilla(["trace", lab.privateFolder] + trace, in: lab)
      #expect(job.status == 0 && job.output == one.output, "\(job.errors)")
      let crossed = zip(before, try lab.counters()).map { ($1.sent - $0.sent, $1.received - $0.received) }
      // Of each of 10 positions, 7 layers: a row of 256 numbers to the router, and rows back.
      let rows = 10 * 7 * 256 * 4
      #expect(crossed[0].0 > rows && crossed[0].1 > rows && crossed[1].1 > rows, "\(crossed)")
      #expect(crossed[2].0 > rows / 4 && crossed[2].1 > rows / 8, "\(crossed)")
      #expect(try lab.leftovers(within: 5) == [] && job.survivors == [])
    }
  }

  enum Fault: CustomTestStringConvertible {
    case kill(Int), stop(Int), cut(Int)

    var rank: Int {
      switch self {
      case .kill(let rank), .stop(let rank), .cut(let rank): rank
      }
    }

    var testDescription: String {
      let role = ["coordinator", "router", "expert host"][rank]
      switch self {
      case .kill: return "the \(role) is killed"
      case .stop: return "the \(role) is stopped"
      case .cut: return "the link of the \(role) is cut"
      }
    }
  }

  @Test(
    "A lost rank or host ends the job within ten seconds, is named, and nothing stays behind",
    arguments: [Fault.kill(0), .kill(1), .kill(2), .stop(2), .cut(2)])
  func lost(_ fault: Fault) throws {
    try withTemporaryFolder { folder in
      let prompt = [try makeModel(in: folder), "-p", "a", "--raw", "--ignore-eos", "--temp", "0", "-n", "400"]
      let journal = folder.appending(path: "journal").filePath
      var links: [String] = []
      if case .cut = fault { links = ["--rate", "1000", "--delay", "50"] }
      let lab = try NetworkLab(hosts: 3, links: links)
      var begin: ContinuousClock.Instant?
      let job = try flotilla(
        ["generate", "--quiet", "--journal", journal] + prompt, in: lab,
        meanwhile: { job in
          guard !job.output.isEmpty, let victim = job.process(ofRank: fault.rank) else { return false }
          begin = .now
          switch fault {
          case .kill: kill(victim, SIGKILL)
          case .stop: kill(victim, SIGSTOP)
          case .cut: _ = try? lab.run("block", "n\(fault.rank)")
          }
          return true
        })
      let seconds = try #require(begin).duration(to: .now) / .seconds(1)
      #expect(seconds < 10, "\(seconds) s")
      #expect(job.status != 0)
      expectNamed(fault, job)
      let left = try lab.leftovers(within: 15)
      #expect(left == [])
      #expect(job.survivors == [])

      guard case .cut = fault else { return }
      let resumed = try flotilla(["generate", "--quiet", "--resume", journal], in: lab, hosts: 2)
      #expect(resumed.status == 0, "\(resumed.errors)")
      #expect(try resumed.output == flotilla(["generate", "--quiet"] + prompt).output, "the same tokens on two hosts")
    }
  }

  /// By whom, and how often.
  private func expectNamed(_ fault: Fault, _ job: Job) {
    let rank = fault.rank
    let said = job.errors.filter { line in
      switch fault {
      case .kill: line.contains("process rank \(rank) ") && line.contains("on node n\(rank) exited on signal 9")
      case .stop: false
      case .cut: line.contains("Remote daemon: ") && line.hasSuffix(" on node n\(rank)")
      }
    }
    if case .stop = fault { #expect(said == []) } else { #expect(said.count == 1, "\(job.errors)") }
    // Where the run stood only the coordinator knows.
    guard rank != 0 else {
      #expect(job.complaints == [], "\(job.errors)")
      return
    }
    #expect(job.complaints.count == 1, "\(job.errors)")
    let line = job.complaints.first ?? ""
    #expect(line.hasPrefix("error: rank \(rank) on host n\(rank): nothing heard for "))
    #expect(line.contains(/\ \(at layer [1-7], token \d+ of sequence 0\)$/), "\(line)")
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
        (["fly"], 2, "usage: lab"),
      ] {
        let (found, output) = try Shell.run(command + words)
        #expect(found == status && output.contains(text), "\(words): \(output)")
      }
      lab = nil
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.filePath) == [])
    }
  }
}
