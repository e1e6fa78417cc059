import Foundation
import Inference
import Kernels
import MessagePassing
import Nodes

/// One MPI job with one rank on each node, for measurements. The line that starts it is that of `flotilla launch`, so
/// that what is measured is what runs.
public struct NodeJob: Sendable {
  let hosts: [Hostfile.Host]
  let shell: RemoteShell
  /// The address range that MPI is bound to; nil: it chooses.
  let range: String?
  /// Path of flotilla on the nodes.
  let program: String
  /// Seconds until the job counts as one that will not end.
  let limit: Double

  /// What the first rank says as soon as all ranks have found each other.
  public static let started = "started"
  /// Seconds until then.
  private static let startLimit = 45.0

  public init(
    hosts: [Hostfile.Host], shell: RemoteShell, range: String?, program: String, limit: Double
  ) {
    self.hosts = hosts
    self.shell = shell
    self.range = range
    self.program = program
    self.limit = limit
  }

  /// The command that starts `flotilla` with some arguments, one rank on each node, in the order of the nodes.
  ///
  /// - Throws: `NodeError` where the remote shell is none that mpirun takes.
  package func command(_ arguments: [String], _ runtime: MPIRuntime) throws -> [String] {
    if let bad = shell.words.first(where: { $0.contains { " \t'\"".contains($0) } }) {
      throw NodeError(
        "--rsh: expected words without spaces and quotes, which mpirun cannot take, found \"\(bad)\"",
        hint: "give the program a name without spaces", isUsage: true)
    }
    var plan = LaunchPlan(place: .hosts(hosts.map { Hostfile.Host(name: $0.name, slots: 1) }))
    plan.network = range
    plan.remoteShell = shell.words.joined(separator: " ")
    plan.isRoot = geteuid() == 0
    // Nodes may be one machine, and ranks then more than its cores.
    plan.extra = ["--mca", "mpi_yield_when_idle", "1"]
    return MPIRunLine(plan, runtime: runtime, command: [program] + arguments).words
  }

  /// That of the mpirun here.
  private static func runtime() throws -> MPIRuntime {
    do {
      return try MPIRuntime(program: "mpirun")
    } catch var error as NodeError {
      // A finding about this machine, and no option is at fault.
      error.isUsage = false
      throw error
    }
  }

  /// Runs the job and reads what its first rank measured.
  ///
  /// - Throws: `NodeError` with what the job said, `NodeInterrupted`.
  func measurement(
    includesMachines: Bool, options: [String] = [], isCancelled: @escaping () -> Bool
  ) throws -> ClusterMeasurement {
    let arguments = ["calibrate", "--each-rank"] + (includesMachines ? [] : ["--links-only"]) + options
    let words = try command(arguments, Self.runtime())
    let start = MonotonicClock.seconds()
    var hasStarted = false
    // mpirun waits for ever for a daemon that did not report back.
    func isLate() -> Bool { MonotonicClock.seconds() - start > (hasStarted ? limit : min(limit, Self.startLimit)) }
    var cutter = LineCutter()
    var answer: String?
    var said: [String] = []
    let child = try ChildProcess.run(words, isCancelled: { isCancelled() || isLate() }) {
      cutter.add($0) { line in
        if line == Self.started {
          hasStarted = true
        } else if line.hasPrefix("{\"") {
          answer = line
        } else {
          said.append(line)
        }
      }
    }
    if isCancelled() { throw NodeInterrupted() }
    if child.ending == .exited(0), let answer,
      let measurement = try? JSONDecoder().decode(ClusterMeasurement.self, from: Data(answer.utf8))
    {
      guard measurement.ranks.count == hosts.count else {
        throw NodeError(
          "expected \(hosts.count) ranks, one for each node, found \(measurement.ranks.count)",
          hint: "is each node once in the hostfile?")
      }
      return measurement
    }
    throw JobFailure.error(child, said, hasStarted ? "ended" : "started", after: MonotonicClock.seconds() - start)
  }
}

/// What the words of a failed job mean.
enum JobFailure {
  /// - Parameter what: that the job had not done when it was given up.
  static func error(_ child: ChildProcess, _ said: [String], _ what: String, after seconds: Double) -> NodeError {
    let lines = (child.errors.split(whereSeparator: \.isNewline).map(String.init) + said)
      .map { $0.trimmingCharacters(in: .whitespaces) }
    let all = lines.joined(separator: " ")
    let hint = hints.first { all.contains($0.words) }?.hint ?? ""
    if child.ending == .cancelled {
      return NodeError(
        "it had not \(what) after \(Int(seconds)) s" + (mainLine(lines).map { ": \($0)" } ?? ""),
        hint: hint.isEmpty ? "a firewall that drops packets, or a way between nodes that leads nowhere" : hint)
    }
    return NodeError(mainLine(lines) ?? "no word why", hint: hint)
  }

  /// Our own error, else the first line that says something.
  private static func mainLine(_ lines: [String]) -> String? {
    let telling = lines.filter { line in
      !line.isEmpty && !line.allSatisfy { "-=*".contains($0) } && !line.hasPrefix("[") && !line.contains("Warning: ")
    }
    let own = telling.first { $0.hasPrefix("error: ") }.map { String($0.dropFirst(7)) }
    return (own ?? telling.first).map { String($0.prefix(300)) }
  }

  private static let noDaemon =
    "Open MPI is not in the PATH of a remote command on a node: apt-get install openmpi-bin"

  private static let hints: [(words: String, hint: String)] = [
    ("out-of-band communications", "no node interface lies in the range of --network: give one that all nodes share"),
    ("did not find interface", "no node interface lies in the range of --network: give one that all nodes share"),
    ("btl_tcp_if_include", "no node interface lies in the range of --network: give one that all nodes share"),
    ("orted: command not found", noDaemon), ("orted: not found", noDaemon),
    ("prted: command not found", noDaemon), ("prted: not found", noDaemon),
    ("Permission denied", "ssh-copy-id to that node: mpirun asks for no password"),
    ("Host key verification failed", "ssh to that node once by hand, and accept its key"),
    ("Could not resolve hostname", "check the name in the hostfile, or add it to /etc/hosts"),
    ("could not be found", "the same binary at the same path on every node"),
    ("was unable to find the specified executable", "the same binary at the same path on every node"),
    ("could not access or execute", "the same binary at the same path on every node"),
    ("libmpi", "apt-get install openmpi-bin libopenmpi-dev on every node"),
    ("not enough slots", "give each node slots=1 or more in the hostfile"),
    (
      "Connection refused",
      "a firewall? mpirun and the ranks use ports that the system picks: allow all TCP between nodes"
    ),
    ("No route to host", "a firewall, or addresses that do not reach each other? bind MPI with --network RANGE"),
    ("Unable to connect", "a firewall, or addresses that do not reach each other? bind MPI with --network RANGE"),
    ("unable to connect", "a firewall, or addresses that do not reach each other? bind MPI with --network RANGE"),
    ("unreachable", "addresses that do not reach each other: bind MPI to the network that all share, --network RANGE"),
    ("unable to reliably start", "the same Open MPI on every node, and ssh that works from here without a password"),
    ("silent", "a rank did not answer: see the lines about its node"),
  ]
}
