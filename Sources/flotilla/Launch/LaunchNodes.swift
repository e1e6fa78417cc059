import ArgumentParser
import Foundation
import Kernels
import Launch
import Nodes

/// On which machines, with how many ranks.
struct LaunchNodes: ParsableArguments {
  @Option(help: ArgumentHelp("Nodes, a line each: name slots=N, N ranks there.", valueName: "file"))
  var hostfile: String?

  @Option(
    help: ArgumentHelp(
      "Nodes, as a,b:2,c; a number behind a colon is that of its ranks. Default: one for each NUMA domain.",
      valueName: "list"))
  var hosts: String?

  @Option(
    name: [.customShort("n"), .customLong("np"), .customLong("np", withSingleDash: true)],
    help: """
      Ranks: on this machine, or with nodes fewer than they have places. Default: one for each NUMA domain, or one for \
      each place.
      """)
  var ranks: Int?

  @Option(help: "How ranks are dealt out: node (one each, round the nodes) or slot (node after node).")
  var mapBy = RankOrder.node

  @Option(
    help: ArgumentHelp(
      "Network in which the nodes reach each other, as 10.0.0.0/24, or any. Default: the one that holds them all.",
      valueName: "range"))
  var network: String?

  @Option(
    help: ArgumentHelp(
      "What brings commands to a node, in place of ssh: it is given the host and a command.", valueName: "command"))
  var rsh: String?

  func validate() throws {
    try check("--np", ranks, 1...4096)
    if hostfile != nil, hosts != nil { throw ValidationError("--hostfile and --hosts both name nodes: leave one out.") }
    if hosts != nil { _ = try listed() }
    if let network, network != "any", NetworkRange(network) == nil {
      throw ValidationError("--network: expected a range as 10.0.0.0/24, or any, found \"\(network)\".")
    }
    try RemoteShell.check(option: rsh)
  }

  /// The nodes of `--hosts`; slots 0 where it gives none.
  private func listed() throws -> [Hostfile.Host] {
    do {
      return try Hostfile.hosts(list: hosts ?? "")
    } catch {
      throw ValidationError("--hosts: \(error.text); \(error.hint).")
    }
  }

  var shell: RemoteShell { RemoteShell(option: rsh) }

  /// The nodes that were named; nil where it is this machine, or a batch system knows. Slots are 0 where a survey must
  /// tell them.
  func named() throws -> [Hostfile.Host]? {
    if let hostfile { return try Hostfile(file: URL(filePath: hostfile)).hosts }
    return hosts == nil ? nil : try listed()
  }

  /// What becomes of ranks for which the nodes have no place; nil where all have one.
  func surplusNote(_ place: LaunchPlan.Place) -> String? {
    guard case .hosts(let hosts) = place, let ranks, case let slots = hosts.reduce(0, { $0 + $1.slots }), ranks > slots
    else { return nil }
    let names = hosts.map(\.name)
    let list = names.prefix(4).joined(separator: ", ") + (names.count > 4 ? ", …" : "")
    return "\(ranks) ranks on \(slots) slot\(slots == 1 ? "" : "s") of \(list): \(slots) are started"
  }

  /// Without named nodes.
  var placeWithoutNodes: LaunchPlan.Place {
    let environment = ProcessInfo.processInfo.environment
    let marks = ["SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID"]
    if marks.contains(where: { environment[$0] != nil }) { return .allocation }
    let own = ProcessorSet.ofThisThread()
    return .here(ranks: ranks ?? MachineCores.ofThisMachine(own).domains.count)
  }
}
