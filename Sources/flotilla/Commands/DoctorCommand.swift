import ArgumentParser
import Checkpoint
import Doctor
import Foundation
import Inference
import MessagePassing
import Nodes

struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Look at every node and every link, and say what keeps a run from working, and what to do.",
    discussion: """
      Asks all nodes at the same time over ssh: binary, Open MPI, processors, memory against what the ranks of the \
      placement need, files of the model, settings, addresses. Then one MPI job with a rank on each node measures \
      latency and bandwidth of every link. Without nodes: this machine only. Changes nothing.

      Each line is green, amber (works, but costs speed or comfort) or red (a run fails). The exit code is 0 without \
      red lines, 3 where red ones keep ranks from working together, else 1.

      EXAMPLES
        flotilla doctor
        flotilla doctor --hostfile hosts
        flotilla doctor --hostfile hosts /models/r1-q4 -c 8192 --verify
        flotilla doctor --hosts a,b,c --like r1 --quant q4_K
        flotilla doctor --hostfile hosts --bundle report.json --redact
      """)

  @Argument(help: "Checkpoint, GGUF file or prepared model that is to run. Without one: the machines only.")
  var model: String?

  @Option(
    help: ArgumentHelp(
      "In place of MODEL: a config.json, or the name of a model or shape, for the memory and the disk it needs.",
      valueName: "config"))
  var like: String?

  @OptionGroup(title: "NODES") var nodes: NodeOptions
  @OptionGroup(title: "PLACEMENT") var roles: RoleOptions

  @Option(help: "How mpirun deals ranks out: node (one each, round the nodes) or slot (node after node).")
  var mapBy = RankOrder.node

  @Option(help: Quantization.help)
  var quant = Quantization.auto

  @Option(
    name: [.customShort("c"), .customLong("ctx-size")],
    help: "Tokens of a sequence, prompt included, that memory is counted for.")
  var contextSize = 4096

  @Option(help: "Sequences at once that memory is counted for.")
  var parallel = 16

  @Option(
    name: .customLong("at"),
    help: ArgumentHelp(
      "Path of the model on the nodes. Default: that of MODEL here; with --like the login folder's disk is looked at.",
      valueName: "path"))
  var destination: String?

  @Flag(help: "Compare the hashes of the bundles of a prepared model on every node.")
  var verify = false

  @Flag(name: .customLong("no-links"), help: "Start no MPI job: no links, no interface.")
  var noLinks = false

  @Flag(help: "One JSON object instead of text.")
  var json = false

  @Option(
    help: ArgumentHelp("Write everything that was found to one JSON file, for a bug report.", valueName: "file"))
  var bundle: String?

  @Flag(help: "Put made-up names in the place of hosts, addresses, users and paths.")
  var redact = false

  @Option(help: "Colors: auto, always or never.")
  var color = ColorChoice.auto

  @Flag(name: .shortAndLong, help: "No progress.")
  var quiet = false

  @Flag(help: .hidden) var thisNode = false
  @Option(help: .hidden) var peers: String?
  @Option(help: .hidden) var listen: Int?
  @Option(help: .hidden) var knock: String?

  func validate() throws {
    if model != nil, like != nil { throw ValidationError("--like and MODEL exclude each other.") }
    if verify, model == nil { throw ValidationError("--verify needs a MODEL: a prepared one.") }
    if bundle?.isEmpty == true { throw ValidationError("--bundle: expected a file name, found nothing.") }
    if roles.placement != nil, model == nil, like == nil {
      throw ValidationError("--placement needs a MODEL or --like: what is placed.")
    }
    try quant.verify("--quant")
    try check("--ctx-size", contextSize, 1...(1 << 24))
    try check("--parallel", parallel, 1...4096)
    try check("--listen", listen, 1...3600)
    if let destination, destination.isEmpty || destination.contains("\0") {
      throw ValidationError("--at: expected a path, found \"\(destination)\".")
    }
  }

  func run() throws {
    guard ProcessRank.current.isFirst else { return }
    TerminationSignal.install()
    if thisNode { return try answer() }
    if let bundle { try OutputFile(option: "--bundle", path: bundle).checkFolder() }
    let hosts = try nodes.nodes()
    let request = try request(hosts)
    let line = ProgressLine("Looking at", .steps, isQuiet: quiet)
    let lock = NSLock()
    // Called from one thread at a time, and not from ours alone.
    nonisolated(unsafe) let shown = line
    let run = DoctorRun(request) {
      TerminationSignal.requested
    } progress: { what, done, total in
      lock.withLock { shown.update(done, of: total, now: what) }
    }
    let examination: Examination
    do {
      examination = try run.examine()
    } catch is NodeInterrupted {
      throw Interrupted()
    }
    line.finish()
    try tell(examination)
  }

  private func request(_ hosts: Hostfile) throws -> DoctorRequest {
    let subject = try subject()
    let needs = mapBy.ranks(of: hosts.hosts).map { NodeNeed(ranks: $0) }
    var request = nodes.request(hosts, needs: needs, command: NodeOptions.commandLine)
    if let subject {
      let found = try DoctorModel(
        subject, nodes: hosts, order: mapBy, roles: roles, quant: quant.text, contextSize: contextSize,
        parallel: parallel, path: destination)
      (request.model, request.needs) = (found.model, found.needs)
      guard !verify || subject.prepared != nil else {
        throw UsageError("--verify: expected a prepared model, found another", hint: "flotilla prepare makes one")
      }
    }
    request.verifies = verify
    request.measures = !noLinks && nodes.isNamed
    return request
  }

  private func subject() throws -> DoctorSubject? {
    if let like { return .shape(try ModelShape(like: like)) }
    return try model.map { .checkpoint(try Checkpoint.open(URL(filePath: $0))) }
  }

  private func tell(_ examination: Examination) throws {
    let surroundings = bundle.map { _ in
      DoctorReport.Surroundings(
        hostfile: nodes.hostfile.flatMap { try? String(contentsOfFile: $0, encoding: .utf8) },
        placement: roles.placement.flatMap { try? String(contentsOfFile: $0, encoding: .utf8) },
        environment: ProcessInfo.processInfo.environment)
    }
    var report = DoctorReport(examination, surroundings: surroundings)
    if redact { report = try report.redacted() }
    if let bundle { try write(report, to: bundle) }
    if json {
      try StandardOutput.write(JSONLines.indented(report))
    } else {
      try StandardOutput.write(DoctorText(report: report, terminal: Terminal(1, color: color)).text)
    }
    guard report.diagnosis.worst == .red else { return }
    try StandardOutput.flush()
    let status: ExitStatus = report.diagnosis.breaksFabric ? .fabric : .failure
    throw ExitCode(status.rawValue)
  }

  private func write(_ report: DoctorReport, to path: String) throws {
    try OutputFile(option: "--bundle", path: path).write(Data(JSONLines.indented(report)))
    note("kept in \(path)" + (redact ? "" : "; it names hosts, addresses and paths: --redact hides them"))
  }

  // MARK: On a node

  /// What a doctor elsewhere asks for.
  private func answer() throws {
    if let listen {
      let listener = try ConnectionListener()
      try StandardOutput.write("port \(listener.port)\n")
      try StandardOutput.flush()
      return listener.serve(seconds: Double(listen)) { TerminationSignal.requested || getppid() == 1 }
    }
    if let knock {
      for (index, target) in knock.split(separator: ",").enumerated() {
        let parts = target.split(separator: "=")
        guard parts.count == 2, let port = Int(parts[1]), (1...65_535).contains(port) else {
          throw UsageError("--knock: expected HOST=PORT, found \(target)")
        }
        let failure = ConnectionTest.failure(to: String(parts[0]), port: port)
        try StandardOutput.write("knocked \(index)" + (failure.map { " \($0)" } ?? "") + "\n")
        try StandardOutput.flush()
      }
      return
    }
    let names = peers.map { $0.split(separator: ",").map(String.init) } ?? []
    try StandardOutput.write(JSONLines.line(NodeFacts.ofThisMachine(version: Flotilla.version, peers: names)))
  }
}
