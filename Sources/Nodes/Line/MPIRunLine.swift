/// The line that starts a job: what one would have to write by hand, each part with its reason.
///
/// Nothing in it forces TCP: where UCX or InfiniBand works, Open MPI takes it.
public struct MPIRunLine: Sendable, Equatable {
  public struct Part: Sendable, Equatable {
    public let words: [String]
    public let reason: String
  }

  public let parts: [Part]
  public var words: [String] { parts.flatMap(\.words) }

  /// - Parameters:
  ///   - mpirun: the program that starts the ranks.
  ///   - command: flotilla and its arguments.
  public init(_ plan: LaunchPlan, runtime: MPIRuntime, mpirun: String = "mpirun", command: [String]) {
    var builder = Builder(plan: plan, runtime: runtime)
    builder.add([mpirun], "starts the ranks")
    builder.addRoot()
    builder.addPlace()
    builder.addCores()
    builder.addTransport()
    builder.addWatch()
    for name in plan.variables { builder.add(["-x", name], "the ranks get it from here") }
    if !plan.extra.isEmpty { builder.add(plan.extra, "given by --mpi") }
    builder.add(command, "each rank")
    parts = builder.parts
  }

  /// To paste into a shell.
  public var text: String { ShellText.line(words) }
}

private struct Builder {
  let plan: LaunchPlan
  let runtime: MPIRuntime
  var parts: [MPIRunLine.Part] = []

  init(plan: LaunchPlan, runtime: MPIRuntime) {
    self.plan = plan
    self.runtime = runtime
  }

  mutating func add(_ words: [String], _ reason: String) { parts.append(.init(words: words, reason: reason)) }

  /// A parameter of MPI itself.
  private mutating func set(_ name: String, _ value: String, _ reason: String) {
    add(["--mca", name, value], reason)
  }

  /// A parameter of what starts and watches the ranks.
  private mutating func setRuntime(_ name: String, _ value: String, _ reason: String) {
    add([runtime == .version4 ? "--mca" : "--prtemca", name, value], reason)
  }

  mutating func addRoot() {
    if plan.isRoot { add(["--allow-run-as-root"], "mpirun refuses root otherwise") }
  }

  mutating func addPlace() {
    switch plan.place {
    case .here(let ranks): add(["-n", "\(ranks)"], "ranks on this machine")
    case .allocation: break
    case .hosts(let hosts):
      let list = hosts.map { "\($0.name):\($0.slots)" }.joined(separator: ",")
      add(["--host", list], "the nodes, each with its number of ranks")
    }
    if let ranks = plan.ranks { add(["-n", "\(ranks)"], "fewer ranks than slots") }
    if plan.isDistributed {
      addShell()
      let names = runtime == .version4 ? "plm_rsh_no_tree_spawn" : "plm_ssh_no_tree_spawn"
      setRuntime(names, "1", "this machine starts all nodes itself: only it needs keys for them")
    }
  }

  private mutating func addShell() {
    guard let shell = plan.remoteShell else { return }
    setRuntime(runtime == .version4 ? "plm_rsh_agent" : "plm_ssh_agent", shell, "the remote shell, given by --rsh")
  }

  mutating func addCores() {
    let isCrowded = (plan.mostRanksOnNode ?? 0) > (plan.processors ?? .max)
    let mapping = plan.isDistributed ? plan.order.rawValue : nil
    switch (runtime, isCrowded) {
    case (.version4, _):
      if let mapping { add(["--map-by", mapping], "how ranks are dealt out to nodes; push counts in the same way") }
      if isCrowded { add(["--oversubscribe"], "more ranks than processors") }
    case (.version5, true):
      add(["--map-by", (mapping ?? "") + ":OVERSUBSCRIBE"], "more ranks than processors")
    case (.version5, false):
      if let mapping { add(["--map-by", mapping], "how ranks are dealt out to nodes; push counts in the same way") }
    }
    add(["--bind-to", "none"], "the ranks of a host divide its cores and NUMA domains themselves")
    if (plan.mostRanksOnNode ?? 0) >= (plan.processors ?? .max) {
      set("mpi_yield_when_idle", "1", "ranks that wait leave the core to those that compute")
    }
  }

  mutating func addTransport() {
    let name = runtime == .version4 ? "btl_vader_eager_limit" : "btl_sm_eager_limit"
    set(name, "32768", "rows of a token go through shared memory in one piece")
    guard plan.isDistributed, let network = plan.network else { return }
    let reason = "the network of the nodes; MPI would try every other interface too"
    set("btl_tcp_if_include", network, reason)
    setRuntime(runtime == .version4 ? "oob_tcp_if_include" : "prte_if_include", network, reason)
  }

  mutating func addWatch() {
    guard plan.isDistributed else { return }
    let reason = "mpirun notices a lost node within seconds; it would take minutes"
    setRuntime("oob_tcp_keepalive_time", "1", reason)
    setRuntime("oob_tcp_keepalive_intvl", "1", reason)
    setRuntime("oob_tcp_keepalive_probes", "2", reason)
  }
}
