import Nodes
import Testing

@Suite("The mpirun line")
struct MPIRunLineTests {
  private static let hosts = [Hostfile.Host(name: "a1", slots: 2), Hostfile.Host(name: "a2", slots: 1)]

  private func text(_ plan: LaunchPlan, _ runtime: MPIRuntime = .version4) -> String {
    MPIRunLine(plan, runtime: runtime, command: ["/opt/flotilla", "generate", "-p", "a b"]).text
  }

  @Test("On this machine: no network, no map, more ranks than cores where there are")
  func here() {
    var plan = LaunchPlan(place: .here(ranks: 4))
    plan.processors = 8
    #expect(
      text(plan) == "mpirun -n 4 --bind-to none --mca btl_vader_eager_limit 32768 /opt/flotilla generate -p 'a b'")
    plan.processors = 2
    #expect(
      text(plan) == "mpirun -n 4 --oversubscribe --bind-to none --mca mpi_yield_when_idle 1 "
        + "--mca btl_vader_eager_limit 32768 /opt/flotilla generate -p 'a b'")
    #expect(
      text(plan, .version5) == "mpirun -n 4 --map-by :OVERSUBSCRIBE --bind-to none --mca mpi_yield_when_idle 1 "
        + "--mca btl_sm_eager_limit 32768 /opt/flotilla generate -p 'a b'")
  }

  @Test("On nodes: network, remote shell and keepalive under the names of each runtime; TCP is never forced")
  func nodes() {
    var plan = LaunchPlan(place: .hosts(Self.hosts))
    plan.network = "10.0.0.0/24"
    plan.remoteShell = "ssh -p 2222"
    plan.isRoot = true
    plan.variables = ["FLOTILLA_LAUNCHER"]
    plan.extra = ["--mca", "pml", "ucx"]
    #expect(
      text(plan) == "mpirun --allow-run-as-root --host a1:2,a2:1 --mca plm_rsh_agent 'ssh -p 2222' "
        + "--mca plm_rsh_no_tree_spawn 1 --map-by node --bind-to none --mca btl_vader_eager_limit 32768 "
        + "--mca btl_tcp_if_include 10.0.0.0/24 --mca oob_tcp_if_include 10.0.0.0/24 "
        + "--mca oob_tcp_keepalive_time 1 --mca oob_tcp_keepalive_intvl 1 --mca oob_tcp_keepalive_probes 2 "
        + "-x FLOTILLA_LAUNCHER --mca pml ucx /opt/flotilla generate -p 'a b'")
    let five = text(plan, .version5)
    for part in [
      "--prtemca plm_ssh_agent 'ssh -p 2222'", "--prtemca prte_if_include 10.0.0.0/24",
      "--mca btl_tcp_if_include 10.0.0.0/24", "--prtemca oob_tcp_keepalive_probes 2",
    ] {
      #expect(five.contains(part), "\(five)")
    }
  }

  @Test("Every part has its reason, and the parts are the line")
  func reasons() {
    var plan = LaunchPlan(place: .hosts(Self.hosts))
    plan.network = "10.0.0.0/24"
    let line = MPIRunLine(plan, runtime: .version4, command: ["flotilla", "bench"])
    #expect(line.parts.allSatisfy { !$0.reason.isEmpty && !$0.words.isEmpty })
    #expect(line.words == line.parts.flatMap(\.words))
  }

  @Test("A batch system's nodes are its own affair")
  func allocation() {
    let line = text(LaunchPlan(place: .allocation))
    #expect(!line.contains("--host") && !line.contains("-n "))
    #expect(line.contains("oob_tcp_keepalive_time"))
  }

  @Test(
    "Versions",
    arguments: [
      ("mpirun (Open MPI) 4.1.4\n\nReport bugs", MPIRuntime.version4), ("mpirun (Open MPI) 5.0.11", .version5),
      ("mpirun (Open MPI) 5.1.0a1", .version5),
    ])
  func versions(text: String, expected: MPIRuntime) throws { #expect(try MPIRuntime(versionText: text) == expected) }

  @Test(
    "Other programs and old versions are refused", arguments: ["", "HYDRA 4.0", "mpirun (Open MPI) 3.1.3", "4.1.4"])
  func refused(text: String) {
    #expect(throws: NodeError.self) { try MPIRuntime(versionText: text) }
  }
}
