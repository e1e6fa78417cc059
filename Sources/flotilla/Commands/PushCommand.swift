import ArgumentParser
import Checkpoint
import ExpertParallel
import Foundation
import Inference
import MessagePassing
import Nodes
import Push

struct PushCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "push",
    abstract: "Bring each node of a hostfile exactly the bundles of a prepared model that its ranks read.",
    discussion: """
      Sends over rsync and ssh, several nodes at a time, verifies at the far end, and gives the manifest its name \
      last. The same command again sends only what is missing. Rank r runs where flotilla launch puts it with the \
      same hostfile, --map-by and no -n: one rank for each slot, this machine first where the hostfile has it.

      EXAMPLES
        flotilla push /models/r1-q4 --hostfile hosts --dry-run
        flotilla push /models/r1-q4 --hostfile hosts --placement p.json
        flotilla push r1-q4 --hostfile hosts --to /data/r1-q4 --copies 2
        flotilla push r1-q4 --hostfile hosts --rsh "ssh -p 2222"
      """)

  @Argument(help: ArgumentHelp("Folder of a prepared model, as flotilla prepare makes it.", valueName: "prepared"))
  var prepared: String

  @Option(
    help: ArgumentHelp("Nodes, as mpirun --hostfile takes them; each line says slots=N.", valueName: "file"))
  var hostfile: String

  @OptionGroup(title: "PLACEMENT") var roles: RoleOptions

  @Option(help: "How mpirun deals ranks out: node (one each, round the nodes) or slot (node after node).")
  var mapBy = RankOrder.node

  @Option(help: "On how many nodes each bundle is to lie.")
  var copies = 1

  @Flag(help: "Send mtp.bundle with the dense part too. Nothing reads it yet.")
  var mtp = false

  @Option(
    name: .customLong("to"),
    help: ArgumentHelp(
      "Folder on the nodes. A relative one, or ~/, begins at the login folder. Default: the path of PREPARED here.",
      valueName: "path"))
  var destination: String?

  @Option(
    help: ArgumentHelp(
      """
      What brings commands to a node, in place of ssh: it is given the host and a command. Words as for rsync -e. \
      Without it this machine itself is reached directly.
      """, valueName: "command"))
  var rsh: String?

  @Option(
    help: ArgumentHelp(
      "flotilla on the nodes, to verify with. Default: the path of this one, then PATH, then sha256sum.",
      valueName: "path"))
  var flotilla: String?

  @Option(help: "Nodes that are sent to at a time, 1 to 256.")
  var parallel = 4

  @Option(
    help: ArgumentHelp("Most bytes a second for each node, as rsync takes it: 50m, 1.5g.", valueName: "rate"))
  var bwlimit: String?

  @Flag(help: "Look at the nodes, print the plan and the rsync lines, send nothing.")
  var dryRun = false

  @Flag(help: "JSON lines instead of text.")
  var json = false

  @Flag(name: .shortAndLong, help: "Nothing but warnings and errors.")
  var quiet = false

  func validate() throws {
    try check("--copies", copies, 1...Placement.mostRanks)
    try check("--parallel", parallel, 1...256)
    if let bwlimit,
      bwlimit.isEmpty || !bwlimit.utf8.allSatisfy({ (48...57).contains($0) || ".kKmMgGiIbB".utf8.contains($0) })
    {
      throw ValidationError("--bwlimit: expected a number and k, m or g, found \"\(bwlimit)\".")
    }
    try RemoteShell.check(option: rsh)
    if flotilla?.isEmpty == true { throw ValidationError("--flotilla: expected a path, found nothing.") }
  }

  func run() throws {
    guard ProcessRank.current.isFirst else { return }
    let folder = URL(filePath: prepared).standardizedFileURL
    let checkpoint = try Checkpoint.open(folder)
    guard let store = checkpoint.prepared else {
      throw notPrepared(checkpoint)
    }
    let hosts = try Hostfile(file: URL(filePath: hostfile))
    let placement = try roles.placement(ranks: hosts.slots, checkpoint.configuration)
    if hosts.movesThisMachine, !quiet {
      note(
        "ranks are counted from this machine on, as flotilla launch and Open MPI 4 do wherever the hostfile has it; "
          + "for mpirun of Open MPI 5 it must stand first there")
    }
    let plan = try PushPlan(
      placement, on: hosts, order: mapBy, manifest: store.manifest, copies: copies, includesPredictionLayers: mtp)
    try store.require(Set(plan.nodes.flatMap(\.bundles)).sorted())
    TerminationSignal.install()
    let request = try request(folder, store.manifest, plan)
    let run = PushRun(request) { TerminationSignal.requested }
    let output = PushOutput(
      request, command: launchLine(request.destination), hasPlacementFile: roles.placement != nil, json: json,
      isQuiet: quiet)
    do {
      try perform(run, output)
    } catch is PushInterrupted {
      output.finish()
      run.release()
      if !dryRun { note("what has arrived is kept: the same command goes on from there") }
      throw Interrupted()
    } catch let failures as PushFailures {
      output.finish()
      run.release()
      throw failures
    }
  }

  private func notPrepared(_ checkpoint: Checkpoint) -> UsageError {
    let found = checkpoint.metadata == nil ? "a checkpoint" : "a GGUF model"
    var name = checkpoint.location.standardizedFileURL.lastPathComponent
    if name.hasSuffix(".gguf") { name.removeLast(5) }
    let line = PushRequest.line(["flotilla", "prepare", prepared, name + "-prepared"])
    return UsageError(
      "PREPARED: expected a prepared model, found \(found): \(prepared)",
      hint: "\(line) makes one, with --quant q4_K in 4 bits; push that")
  }

  private func perform(_ run: PushRun, _ output: PushOutput) throws {
    output.asking()
    do {
      try run.survey()
    } catch {
      // The plan helps to understand what stands in the way.
      try output.plan(run.states, lines: [])
      throw error
    }
    output.tell(run)
    guard !dryRun else {
      return try output.plan(run.states, lines: run.states.indices.flatMap { output.rsyncLines(run.states[$0]) })
    }
    try run.claim()
    try output.plan(run.states, lines: [])
    output.tell(run)
    try run.send { output.tell(run) }
    output.tell(run)
    output.finish()
    try output.summary(run.states)
  }

  private func request(_ folder: URL, _ manifest: PreparedManifest, _ plan: PushPlan) throws -> PushRequest {
    let path = folder.path(percentEncoded: false)
    let own = OwnProgram.path ?? ""
    return PushRequest(
      source: folder, manifest: manifest,
      manifestBytes: Array(try Data(contentsOf: folder.appending(path: PreparedManifest.fileName))), plan: plan,
      destination: try PushDestination(destination ?? path).path,
      shell: RemoteShell(option: rsh),
      programs: flotilla.map { [$0] } ?? [own, "flotilla"].filter { !$0.isEmpty }, needsProgram: flotilla != nil,
      version: Flotilla.version, parallel: parallel, rate: bwlimit)
  }

  /// The line that runs the model as it was pushed; nil where nobody here knows the folder's whole path there.
  private func launchLine(_ folder: String) -> String? {
    guard folder.hasPrefix("/") else { return nil }
    var words = [OwnProgram.typed() ?? "flotilla", "launch", "--hostfile", hostfile, "--map-by", mapBy.rawValue]
    if let rsh { words += ["--rsh", rsh] }
    words += ["--", "generate", folder]
    return PushRequest.line(words + roles.words) + " -p \"…\""
  }
}

extension RankOrder: AnyCaseArgument {}
