import Glibc
import Launch
import Nodes
import Testing

@Suite("What mpirun says")
struct MPIRunOutputTests {
  private static let dashes = String(repeating: "-", count: 74)
  private static let killed = """
    \(dashes)
    Primary job  terminated normally, but 1 process returned
    a non-zero exit code. Per user-direction, the job has been aborted.
    \(dashes)
    \(dashes)
    mpirun noticed that process rank 2 with PID 4711 on node n2 exited on signal 9 (Killed).
    \(dashes)

    """

  private func read(_ text: String, pieces: Int = 7) -> (MPIRunOutput, String) {
    var output = MPIRunOutput()
    var shown: [UInt8] = []
    let bytes = Array(text.utf8)
    for start in stride(from: 0, to: bytes.count, by: pieces) {
      shown += output.add(bytes[start..<min(start + pieces, bytes.count)])
    }
    shown += output.finish()
    return (output, String(decoding: shown, as: UTF8.self))
  }

  @Test("Banners are kept, lines of ranks pass")
  func banners() {
    let (output, shown) = read("note: hello\n" + Self.killed + "[n0:12] daemon speaks\nerror: rank 1: no\n")
    #expect(shown == "note: hello\nerror: rank 1: no\n")
    #expect(output.banners.count == 3 && output.complaint == "rank 1: no")
    #expect(output.loss?.rank == 2 && output.loss?.host == "n2" && output.loss?.signal == "signal 9 (Killed)")
  }

  @Test("A node whose daemon is gone is named, under Open MPI 4 and 5", arguments: ["ORTE", "PRTE"])
  func lostNode(runtime: String) {
    let (output, _) = read(
      """
      \(Self.dashes)
      \(runtime) has lost communication with a remote daemon.

        HNP daemon   : [[2041,0],0] on node n0
        Remote daemon: [[2041,0],1] on node n1

      This is usually due to either a failure of the TCP network
      connection to the node, or possibly an internal failure of
      the daemon itself. We cannot recover from this failure, and
      therefore will terminate the job.
      \(Self.dashes)

      """)
    #expect(output.lostNode == "n1")
    let silent = JobEnding(.exited(205), output, complaint: nil, isInterrupted: false)
    #expect(silent.exitCode == 3 && silent.leavesRemains)
    #expect(silent.message == "node n1 was lost: mpirun's daemon there has ended, or the way to it is cut")
    let told = JobEnding(.exited(205), output, complaint: "rank 1 on host n1: nothing heard", isInterrupted: false)
    #expect(told.cause == .lost && told.message == "" && told.leavesRemains)
    #expect(JobEnding(.killed(SIGKILL), read("").0, complaint: nil, isInterrupted: true).leavesRemains)
    #expect(!JobEnding(.exited(0), read("").0, complaint: nil, isInterrupted: false).leavesRemains)
  }

  @Test("How it ended, in exit code and words")
  func endings() {
    let (killed, _) = read(Self.killed)
    let (silent, _) = read("")
    func ending(
      _ code: Int32, _ output: MPIRunOutput, complaint: String? = nil, interrupted: Bool = false
    ) -> JobEnding {
      JobEnding(.exited(code), output, complaint: complaint, isInterrupted: interrupted)
    }
    #expect(ending(0, silent).exitCode == 0)
    #expect(ending(137, killed).exitCode == 3)
    #expect(ending(137, killed).message == "rank 2 on host n2 was lost: it ended by signal 9 (Killed)")
    #expect(
      ending(3, silent, complaint: "no") == JobEnding(.exited(3), silent, complaint: "no", isInterrupted: false))
    #expect(ending(3, silent, complaint: "no").cause == .lost)
    // One message: who waited for the lost rank has said more.
    let waited = ending(137, killed, complaint: "rank 2 on host n2: nothing heard for 2 s")
    #expect(waited.exitCode == 3 && waited.message == "" && waited.reason.hasSuffix("for 2 s"))
    #expect(waited.remark == "rank 2 on host n2 ended by signal 9 (Killed)" && ending(137, killed).remark == "")
    let other = ending(137, killed, complaint: "rank 1 on host n1: nothing")
    #expect(other.message.hasPrefix("rank 2 on host n2 was lost"))
    #expect(ending(2, silent, complaint: "no").exitCode == 2 && ending(2, silent, complaint: "no").message == "")
    #expect(ending(1, silent).message == "mpirun ended with code 1, without a word why")
    #expect(ending(130, silent).exitCode == 130)
    #expect(ending(1, silent, interrupted: true).exitCode == 130)
  }
}
