import ArgumentParser
import Doctor
import Foundation
import Inference
import MessagePassing
import Nodes

/// Which nodes, and how they are reached.
struct NodeOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("Nodes, as mpirun --hostfile takes them; each line says slots=N.", valueName: "file"))
  var hostfile: String?

  @Option(help: ArgumentHelp("Nodes in place of a hostfile, as a,b:2,c; :2 for two ranks.", valueName: "names"))
  var hosts: String?

  @Option(
    help: ArgumentHelp(
      """
      What brings commands to a node, in place of ssh: it is given the host and a command. Without it this machine \
      itself is reached directly.
      """, valueName: "command"))
  var rsh: String?

  @Option(
    help: ArgumentHelp(
      "Path of flotilla on the nodes. Default: that of this one.", valueName: "path"))
  var flotilla: String?

  @Option(
    help: ArgumentHelp(
      "Address range that MPI is bound to, as 10.0.0.0/24. Default: it chooses by itself.", valueName: "range"))
  var network: String?

  @Option(help: ArgumentHelp("How long a node may take to answer.", valueName: "seconds"))
  var limit = 30.0

  func validate() throws {
    if hostfile != nil, hosts != nil { throw ValidationError("--hostfile and --hosts exclude each other.") }
    try RemoteShell.check(option: rsh)
    if flotilla?.isEmpty == true { throw ValidationError("--flotilla: expected a path, found nothing.") }
    if let network, NetworkRange(network) == nil {
      throw ValidationError("--network: expected a range as 10.0.0.0/24, found \"\(network)\".")
    }
    try check("--limit", limit, "seconds above 0, at most 3600") { $0 > 0 && $0 <= 3600 }
  }

  var isNamed: Bool { hostfile != nil || hosts != nil }

  var program: String { flotilla ?? OwnProgram.path ?? "flotilla" }

  /// Without any, this machine, with a slot.
  func nodes() throws -> Hostfile {
    if let hostfile { return try Hostfile(file: URL(filePath: hostfile)) }
    guard let hosts else { return Hostfile(hosts: [.init(name: "localhost", slots: 1)]) }
    do {
      return Hostfile(hosts: try Hostfile.hosts(list: hosts).map { .init(name: $0.name, slots: max(1, $0.slots)) })
    } catch {
      throw UsageError("--hosts: \(error.text)", hint: error.hint)
    }
  }

  /// Nothing but the nodes is known yet.
  func request(_ nodes: Hostfile, needs: [NodeNeed], command: String) -> DoctorRequest {
    DoctorRequest(
      hosts: nodes.hosts, needs: needs, model: nil, shell: RemoteShell(option: rsh), program: program,
      here: .init(version: Flotilla.version, hash: OwnProgram.hash, mpi: MPISession.libraryVersion),
      range: network, verifies: false, measures: false, limit: limit, command: command)
  }

  /// The command line as one would type it.
  static var commandLine: String { ShellText.line(["flotilla"] + CommandLine.arguments.dropFirst()) }
}
