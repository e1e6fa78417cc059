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

      The journal of generate (--journal, --resume) is a file on this machine, wherever the coordinator runs. With \
      --restart a lost rank or node is no end: a line tells what was lost, and the text goes on where it stopped. \
      Roles and --placement of the command are for all nodes; on fewer the default placement is used. A wrong command, \
      missing bundles and Ctrl-C end it as ever. Without --journal the launcher keeps one by itself, and leaves it \
      only where the last restart was lost too.

      EXAMPLES
        flotilla launch -n 4 -- generate -p "What is 478 + 256?"
        flotilla launch --hosts a1,a2,a3 -- chat /models/DeepSeek-R1
        flotilla launch --hostfile nodes --install -- generate /r1-q4 -p "Hi"
        flotilla launch --hostfile nodes --restart 3 -- generate /r1-q4 -p "Hi"
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

  @Option(
    help: ArgumentHelp(
      """
      Start generate again up to n times, 0 to 1000, when a rank or a node is lost, on the nodes that still answer: it \
      goes on where it stopped, with the very same tokens.
      """, valueName: "n"))
  var restart = 0

  @Option(
    help: ArgumentHelp(
      """
      How long the ranks may take to find each other, from 1 to 86400; mpirun itself would wait for ever.
      """, valueName: "seconds"))
  var startLimit = 45.0

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
    try check("--restart", restart, 0...1000)
    try check("--start-limit", startLimit, "1 to 86400") { (1...86_400).contains($0) }
    if install, program != nil {
      throw ValidationError("--install copies this program to its own path: leave out --program.")
    }
  }

  func run() throws {
    try verify(command)
    var launched = try LaunchedNodes(nodes, program: path)
    let installer: (([String]) throws -> Void)? = install ? { hosts in try bring(to: hosts) } : nil
    let place = try launched.all(install: installer)
    if !quiet, let text = nodes.surplusNote(place) { note(text) }
    let runtime = try MPIRuntime(program: mpirun)
    if dryRun || verbose {
      try show(
        MPIRunLine(
          plan(place, processors: launched.processors), runtime: runtime, mpirun: mpirun, command: [path] + command))
      if dryRun { return }
    }
    let journal = try KeptJournal(command, isNeeded: restart > 0)
    let processors = launched.processors
    let job = RestartableJob(restarts: restart, nodes: launched, journal: journal) { place, command in
      settings(plan(place, processors: processors), runtime, command)
    }
    let ending = try job.run(place, command)
    if !ending.message.isEmpty {
      let (text, hint) = Failure.words(of: LaunchError(ending.message))
      // mpirun's own words have several lines.
      let lines = text.split(separator: "\n").map { printable(String($0)) }.joined(separator: "\n")
      StandardError.write("error: \(lines)\n" + (hint.map { "hint: \(printable($0))\n" } ?? ""))
    }
    if !ending.remark.isEmpty { note(ending.remark) }
    if ending.exitCode != 0 { throw ExitCode(ending.exitCode) }
  }

  private func settings(
    _ plan: LaunchPlan, _ runtime: MPIRuntime, _ command: [String]
  ) -> LaunchedJob.Settings {
    let line = MPIRunLine(plan, runtime: runtime, mpirun: mpirun, command: [path] + command)
    var settings = LaunchedJob.Settings(line.words, isOnNetwork: plan.isDistributed, startLimit: startLimit)
    (settings.isQuiet, settings.isVerbose) = (quiet, verbose)
    return settings
  }

  private var path: String { program ?? OwnProgram.path ?? CommandLine.arguments[0] }

  /// What is wrong with the command shows here, before anything is started.
  private func verify(_ command: [String]) throws {
    let allowed: [any ParsableCommand.Type] = [
      Generate.self, Chat.self, Trace.self, BenchCommand.self, Perplexity.self, Calibrate.self, Simulate.self,
    ]
    let names = CommandNames(of: Flotilla.configuration)
    try names.check(command)
    guard allowed.contains(where: { $0._commandName == command[0] }) else {
      let list = allowed.map { $0._commandName }.joined(separator: ", ")
      throw UsageError(
        "command: expected one that runs on several ranks (\(list)), found \"\(command[0])\"",
        hint: names.names.contains(command[0])
          ? "\(command[0]) runs by itself: leave out launch and its options" : nil)
    }
    _ = try Flotilla.parse(command)
  }

  /// - Parameter processors: of the smallest node; nil: of this machine.
  private func plan(_ place: LaunchPlan.Place, processors: Int?) -> LaunchPlan {
    var plan = LaunchPlan(place: place)
    if case .here = place {} else { (plan.ranks, plan.network) = (nodes.ranks, nodes.network) }
    if case .hosts(let hosts) = place {
      // Nodes that are left out take their places with them.
      plan.ranks = nodes.ranks.map { min($0, hosts.reduce(0) { $0 + $1.slots }) }
      plan.network = nodes.network ?? NetworkRange.shared(by: hosts.map(\.name))
    }
    if plan.network == "any" { plan.network = nil }
    plan.order = nodes.mapBy
    plan.remoteShell = nodes.rsh
    plan.extra = extra.flatMap { $0.split(separator: " ").map(String.init) }
    plan.processors = processors ?? MachineCores.ofThisMachine(.ofThisThread()).count(in: .ofThisThread())
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

extension LaunchCommand {
  private func bring(to hosts: [String]) throws {
    if dryRun { return note("--install would copy \(path) to \(hosts.joined(separator: ", "))") }
    if !quiet { note("copying \(path) to \(hosts.joined(separator: ", "))") }
    let folder = URL(filePath: path).deletingLastPathComponent()
    let companions = [folder.appending(path: "Flotilla_Inference.resources").path(percentEncoded: false)]
      .filter { FileManager.default.fileExists(atPath: $0) }
    try Installation(program: path, companions: companions, shell: nodes.shell)
      .install(on: hosts) { TerminationSignal.requested }
  }
}
