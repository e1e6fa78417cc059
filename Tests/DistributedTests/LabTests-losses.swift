import Foundation
import Glibc
import Inference
import TestSupport
import Testing

/// What is done to a running job.
private enum Loss: CustomStringConvertible {
  case kill(Int), stop(Int), cut(Int)

  var host: Int {
    switch self {
    case .kill(let host), .stop(let host), .cut(let host): host
    }
  }

  var description: String {
    let role = ["coordinator", "router", "expert host"][host]
    switch self {
    case .kill: return "the \(role) is killed"
    case .stop: return "the \(role) is stopped"
    case .cut: return "the link of the \(role) is cut"
    }
  }

  func inflict(on process: pid_t, in lab: NetworkLab) {
    switch self {
    case .kill: Glibc.kill(process, SIGKILL)
    case .stop: Glibc.kill(process, SIGSTOP)
    case .cut: _ = try? lab.run("block", "n\(host)")
    }
  }
}

extension LabTests {
  private static let prompt = ["-p", "a", "--raw", "--ignore-eos", "--temp", "0", "-n", "200"]

  @Test("A rank or link is lost: an end in ten seconds, one message, nothing left; two hosts give the same tokens")
  func losses() throws {
    try withTemporaryFolder { folder in
      let hosts = try PreparedHosts(folder, links: ["--rate", "1000", "--delay", "50"])
      let whole = try flotilla(["generate", hosts.source, "--quiet"] + Self.prompt, ranks: nil)
      try #require(whole.status == 0 && !whole.output.isEmpty, "\(whole.errors)")
      let losses: [Loss] = [.kill(0), .kill(1), .kill(2), .stop(2), .cut(2)]
      for (index, loss) in losses.enumerated() {
        let journal = folder.appending(path: "journal-\(index)").filePath
        let job = try lose(loss, hosts, journal)
        expectOneMessage(job, loss)
        let left = [0, 1, 2].filter { $0 != loss.host }
        // The bundles of the lost host must come first.
        if index == 0 { try expectRefusal(hosts, left, journal) }
        if index < 3 { try hosts.push(to: left) }
        let resumed = try hosts.launch(["generate", "--quiet", "--resume", journal], on: left)
        #expect(resumed.status == 0, "\(loss): \(resumed.errors)")
        #expect(resumed.output == whole.output, "\(loss): the same tokens on two hosts")
        #expect(try Journal(path: journal).isComplete)
        #expect(try hosts.lab.leftovers(within: 5) == [] && resumed.isClean)
      }
    }
  }

  @Test("The coordinator's host is cut off: the job is started again without it, and the text is the same")
  func restart() throws {
    try withTemporaryFolder { folder in
      let hosts = try PreparedHosts(folder)
      try hosts.copyEverything()
      let whole = try flotilla(["generate", hosts.source, "--quiet"] + Self.prompt, ranks: nil)
      let roles = ["--coordinator-rank", "2", "--router-rank", "1"]
      // Each host has a /dev/shm of its own: the coordinator finds the launcher over the network.
      let job = try hosts.launch(
        ["generate", hosts.model, "--quiet"] + roles + Self.prompt, options: ["--restart", "1"], temporary: "/dev/shm",
        meanwhile: { job in
          guard !job.output.isEmpty else { return false }
          _ = try? hosts.lab.run("block", "n2")
          return true
        })
      #expect(job.status == 0 && job.isClean, "\(job.errors)")
      #expect(job.output == whole.output && !whole.output.isEmpty)
      let told = job.errors.first { $0.contains("restart 1 of 1 goes on from token ") } ?? ""
      #expect(told.contains("n2") && told.contains("left out, without an answer: n2; "), "\(job.errors)")
      #expect(try hosts.lab.leftovers(within: 15) == [])
    }
  }

  @Test("A daemon of mpirun that is killed: its host is named, and nothing stays there")
  func daemon() throws {
    try withTemporaryFolder { folder in
      let hosts = try PreparedHosts(folder)
      let command = ["generate", hosts.model, "--quiet"] + Self.prompt
      var begin: ContinuousClock.Instant?
      let job = try hosts.launch(command) { job in
        guard !job.output.isEmpty, let lines = try? hosts.lab.run("leftovers"),
          let daemon = lines.first(where: { $0.hasPrefix("n1 process ") && $0.contains("orted") }),
          let process = Int32(daemon.split(separator: " ")[2])
        else { return false }
        begin = .now
        kill(process, SIGKILL)
        return true
      }
      let seconds = try #require(begin, "\(job.errors)").duration(to: .now) / .seconds(1)
      #expect(job.status == 3 && seconds < 10, "\(seconds) s: \(job.errors)")
      #expect(job.complaints.count == 1 && job.complaints[0].contains("n1"), "\(job.errors)")
      #expect(try hosts.lab.leftovers(within: 1) == [] && job.isClean)
    }
  }

  @Test("Plain mpirun ends too when a link is cut, and names rank and node")
  func plain() throws {
    try withTemporaryFolder { folder in
      let hosts = try PreparedHosts(folder)
      let job = try lose(.cut(1), hosts, folder.appending(path: "journal").filePath, isPlain: true)
      #expect(job.errors.count { $0.contains("Remote daemon: ") && $0.hasSuffix(" on node n1") } == 1, "\(job.errors)")
      expectOneMessage(job, .cut(1))
    }
  }

  /// A run that loses something as soon as it has said something. Nothing of it stays on any host.
  private func lose(_ loss: Loss, _ hosts: PreparedHosts, _ journal: String, isPlain: Bool = false) throws -> Job {
    let command = ["generate", hosts.model, "--quiet", "--journal", journal] + Self.prompt
    var begin: ContinuousClock.Instant?
    func meanwhile(_ job: Job.Running) -> Bool {
      guard !job.output.isEmpty, let victim = job.process(ofRank: loss.host) else { return false }
      begin = .now
      loss.inflict(on: victim, in: hosts.lab)
      return true
    }
    let job =
      isPlain ? try hosts.mpirun(command, meanwhile: meanwhile) : try hosts.launch(command, meanwhile: meanwhile)
    let seconds = try #require(begin, "\(loss): \(job.errors)").duration(to: .now) / .seconds(1)
    #expect(seconds < 10, "\(loss): \(seconds) s")
    #expect(isPlain ? job.status != 0 : job.status == 3, "\(loss)")
    // On the far side of a cut link ranks and daemons notice by themselves.
    #expect(try hosts.lab.leftovers(within: 15) == [], "\(loss)")
    #expect(job.isClean, "\(loss): \(job.survivors) \(job.segments)")
    if case .cut = loss { try hosts.lab.run("unblock", "n\(loss.host)") }
    let kept = try Journal(path: journal)
    #expect(!kept.isComplete && kept.generatedTokens > 0, "\(loss)")
    return job
  }

  private func expectOneMessage(_ job: Job, _ loss: Loss) {
    #expect(job.complaints.count == 1, "\(loss): \(job.errors)")
    let line = job.complaints.first ?? ""
    #expect(line.hasPrefix("error: rank \(loss.host) on host n\(loss.host)"), "\(loss): \(job.errors)")
    // Where the run stood only the coordinator knows.
    guard loss.host != 0 else { return }
    #expect(line.contains(/\(at layer [1-7], token \d+ of sequence 0\)/), "\(loss): \(line)")
    guard case .kill(let host) = loss else { return }
    #expect(job.errors.contains("note: rank \(host) on host n\(host) ended by signal 9 (Killed)"), "\(job.errors)")
  }

  /// Hosts that lack bundles for another number of ranks say so at once, and what mends it.
  private func expectRefusal(_ hosts: PreparedHosts, _ left: [Int], _ journal: String) throws {
    let refused = try hosts.launch(["generate", "--quiet", "--resume", journal], on: left)
    #expect(refused.status == 2 && refused.output == [], "\(refused.errors)")
    let said = refused.errors.joined(separator: " ")
    #expect(said.contains("MiB") && said.contains("flotilla push"), "\(said)")
    for (rank, host) in left.enumerated() {
      #expect(said.contains("rank \(rank) on host n\(host): bundles: "), "\(said)")
    }
    #expect(try hosts.lab.leftovers(within: 5) == [] && refused.isClean)
  }
}
