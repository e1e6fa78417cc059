import ArgumentParser
import Checkpoint
import Foundation
import Inference
import Kernels
import Launch
import MessagePassing
import Nodes
import Reporting

struct LaunchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "launch",
    abstract: "Start a command on several ranks or nodes, and keep the terminal.",
    discussion: """
      Writes the mpirun line, starts it and watches it. The job runs beside: standard input, Ctrl-C, colors and exit \
      codes behave as in any program, wherever the coordinator runs. Plain mpirun works too.

      Nodes are asked first, over ssh without a password: whether they answer, and have this very program at the same \
      path (--install copies it). In a Slurm, PBS or LSF job without nodes given, the batch system's are used.

      EXAMPLES
        flotilla launch -n 4 -- generate -p "What is 478 + 256?"
        flotilla launch --hosts a1,a2,a3 -- chat /models/DeepSeek-R1
        flotilla launch --hostfile nodes --install -- generate /r1-q4 -p "Hi"
        flotilla launch --hostfile nodes --dry-run -- bench /models/r1-q4

      EXIT CODES
        those of the command; 3 where a rank or node was lost, 130 after Ctrl-C.
      """)

  @OptionGroup(title: "Nodes") var nodes: LaunchNodes

  @Option(
    help: ArgumentHelp("flotilla on the nodes, an absolute path. Default: that of this one.", valueName: "path"))
  var program: String?

  @Flag(help: "Copy this program to nodes that lack it or have another, to the same path.")
  var install = false

  @Option(help: ArgumentHelp("mpirun to start with.", valueName: "path"))
  var mpirun = "mpirun"

  @Option(
    name: .customLong("mpi"), parsing: .unconditionalSingleValue,
    help: ArgumentHelp("Further words for mpirun, as \"--mca pml ucx\". May be repeated.", valueName: "words"))
  var extra: [String] = []

  @Flag(help: "Print the mpirun line and why it is so, and start nothing.")
  var dryRun = false

  @Flag(help: "Everything that mpirun says, and the line first.")
  var verbose = false

  @Flag(name: .shortAndLong, help: "No status.")
  var quiet = false

  @Argument(parsing: .postTerminator, help: ArgumentHelp("What each rank runs.", valueName: "command"))
  var command: [String] = []

  func validate() throws {
    guard !command.isEmpty else {
      throw ValidationError("no command: it stands behind --, as in flotilla launch -n 4 -- generate -p \"…\".")
    }
    if let program, !program.hasPrefix("/") {
      throw ValidationError("--program: expected an absolute path, found \"\(program)\".")
    }
    if install, program != nil {
      throw ValidationError("--install copies this program to its own path: leave out --program.")
    }
  }

  func run() throws {
    try verify(command)
    let place = try surveyed()
    let plan = plan(place)
    let line = MPIRunLine(
      plan, runtime: try MPIRuntime(program: mpirun), mpirun: mpirun, command: [path] + command)
    if dryRun || verbose {
      try show(line)
      if dryRun { return }
    }
    let job = try LaunchedJob(
      line.words, isOnNetwork: plan.isDistributed, isQuiet: quiet, isVerbose: verbose)
    let ending = try job.run()
    if !ending.message.isEmpty { StandardError.write("error: \(printable(ending.message))\n") }
    if ending.exitCode != 0 { throw ExitCode(ending.exitCode) }
  }

  private var path: String { program ?? OwnProgram.path ?? CommandLine.arguments[0] }

  /// What is wrong with the command shows here, before anything is started.
  private func verify(_ command: [String]) throws {
    let allowed: [any ParsableCommand.Type] = [
      Generate.self, Chat.self, Trace.self, BenchCommand.self, Perplexity.self, Calibrate.self,
    ]
    guard allowed.contains(where: { $0._commandName == command[0] }) else {
      let names = allowed.map { $0._commandName }.joined(separator: ", ")
      throw UsageError("command: expected one that runs on several ranks (\(names)), found \"\(command[0])\"")
    }
    _ = try Flotilla.parseAsRoot(command)
  }

  private func plan(_ place: LaunchPlan.Place) -> LaunchPlan {
    var plan = LaunchPlan(place: place)
    if case .hosts(let hosts) = place {
      plan.ranks = nodes.ranks
      let network = NetworkRange.shared(by: hosts.map(\.name))
      plan.network = nodes.network == "any" ? nil : nodes.network ?? network
    }
    plan.order = nodes.mapBy
    plan.remoteShell = nodes.rsh
    plan.extra = extra.flatMap { $0.split(separator: " ").map(String.init) }
    plan.processors = MachineCores.ofThisMachine(.ofThisThread()).count(in: .ofThisThread())
    plan.isRoot = geteuid() == 0
    let environment = ProcessInfo.processInfo.environment
    plan.variables = [Invitation.variable] + Self.passed.filter { environment[$0] != nil }
    return plan
  }

  /// Environment variables that say how flotilla runs.
  private static let passed = ["FLOTILLA_ISA", "FLOTILLA_MODELS", "NO_COLOR"]

  private func show(_ line: MPIRunLine) throws {
    try StandardOutput.write(line.text + "\n")
    try StandardOutput.flush()
    guard !quiet else { return }
    for part in line.parts { note("\(ShellText.line(part.words)): \(part.reason)") }
  }
}

// MARK: - The nodes

extension LaunchCommand {
  /// Where the ranks go, once the nodes have been asked.
  private func surveyed() throws -> LaunchPlan.Place {
    guard let named = try nodes.named() else { return nodes.placeWithoutNodes }
    TerminationSignal.install()
    let surveys = NodeSurvey.ask(named.map(\.name), nodes.shell, program: path) { TerminationSignal.requested }
    if TerminationSignal.requested { throw Interrupted() }
    if let failed = surveys.first(where: { $0.failure != nil }) {
      throw LaunchError(failed.failure ?? "", hint: "")
    }
    try checkPrograms(surveys)
    return .hosts(
      zip(named, surveys).map { host, survey in
        Hostfile.Host(name: host.name, slots: host.slots > 0 ? host.slots : survey.domains)
      })
  }

  private func checkPrograms(_ surveys: [NodeSurvey]) throws {
    let own = try Digest(contentsOf: URL(filePath: path)).description
    let others = surveys.filter { $0.program != own }.map(\.host)
    guard !others.isEmpty else { return }
    guard install else {
      let found = surveys.first { $0.host == others[0] }?.program == nil ? "nothing" : "another one"
      throw LaunchError(
        "\(path) on \(others.joined(separator: ", ")): expected this very program, found \(found)",
        hint: "--install copies it there")
    }
    if dryRun { return note("--install would copy \(path) to \(others.joined(separator: ", "))") }
    if !quiet { note("copying \(path) to \(others.joined(separator: ", "))") }
    let folder = URL(filePath: path).deletingLastPathComponent()
    let companions = [folder.appending(path: "Flotilla_Inference.resources").path(percentEncoded: false)]
      .filter { FileManager.default.fileExists(atPath: $0) }
    try Installation(program: path, companions: companions, shell: nodes.shell)
      .install(on: others) { TerminationSignal.requested }
  }
}
