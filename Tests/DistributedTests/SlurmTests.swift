import Foundation
import Glibc
import Inference
import StrictJSON
import TestSupport
import Testing

/// `Cluster/slurm.sh` with programs in the place of Slurm's: a real run behind a made-up `srun`, three nodes on one disk.
@Suite("The Slurm script", .serialized)
struct SlurmTests {
  private static let script = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Cluster/slurm.sh").filePath

  /// Does a step of one task a node in turn and notes what then lies on the disk, and gives ranks to mpirun.
  private static let srun = """
    #!/bin/bash
    if [ "$1" = --mpi=list ]; then echo "MPI plugin types are: none $FAKE_TYPE" >&2; exit; fi
    while [[ $1 == --* ]]; do options+=" $1"; shift; done
    echo "srun$options" >> "$FAKE/calls"
    if [[ $options == *--ntasks-per-node=1* ]]; then
      [[ $options == *--mpi=none* ]] || export PMIX_NAMESPACE=made-up
      for node in 0 1 2; do
        SLURM_NODEID=$node SLURM_PROCID=$node "$@" || exit
        (cd "$SCRATCH/flotilla/prepared" && ls *.bundle > "$FAKE/node-$node")
      done
      exit 0
    fi
    for name in ${!SLURM_@}; do unset "$name"; done
    mpirun --oversubscribe --bind-to none --mca mpi_yield_when_idle 1 -n 3 "$@" &
    echo $! > "$FAKE/step"
    wait $!
    """
  /// Reaches the ranks, as Slurm's does, and lets a stopped one go on.
  private static let scancel = """
    #!/bin/bash
    echo "scancel $*" >> "$FAKE/calls"
    step=$(cat "$FAKE/step")
    ranks=$(cat "/proc/$step/task/$step/children")
    kill -TERM $ranks
    kill -CONT $ranks
    """
  private static let scontrol = """
    #!/bin/bash
    echo "scontrol $*" >> "$FAKE/calls"
    """
  /// As in an allocation of three places.
  private static let mpirun = """
    #!/bin/bash
    for name in ${!SLURM_@}; do unset "$name"; done
    PATH=${PATH#"$FAKE/bin:"}
    if [ "$1" = --version ]; then exec mpirun --version; fi
    exec mpirun --oversubscribe -n 3 "$@"
    """

  /// The place of a job: programs, a prepared model on the shared disk, the disk of the nodes.
  private struct Place {
    let folder: URL
    var path: String { folder.filePath }
    var model: String { folder.appending(path: "prepared").filePath }
    var journal: String { folder.appending(path: "flotilla-77.journal").filePath }
    var record: String { folder.appending(path: "flotilla-77.record.jsonl").filePath }

    init(_ folder: URL, programs: [String: String]) throws {
      self.folder = folder
      let bin = folder.appending(path: "bin")
      try FileManager.default.createDirectory(at: bin, withIntermediateDirectories: true)
      for (name, text) in programs {
        try Executable.write(text + "\n", to: bin.appending(path: name).filePath)
      }
    }

    /// The words that the script gave to Slurm, a line a call.
    var calls: [String] { lines("calls") }

    func lines(_ name: String) -> [String] {
      let text = try? String(contentsOf: folder.appending(path: name), encoding: .utf8)
      return (text ?? "").split(separator: "\n").map(String.init)
    }

    func run(_ arguments: [String], type: String, meanwhile: (Job.Running) -> Bool = { _ in true }) throws -> Job {
      let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
      return try Job(
        "flotilla", [model] + arguments, ranks: nil,
        environment: [
          "PATH": "\(folder.filePath)/bin:\(path)", "FAKE": folder.filePath, "FAKE_TYPE": type,
          "SCRATCH": folder.appending(path: "scratch").filePath, "SLURM_SUBMIT_DIR": folder.filePath,
          "SLURM_JOB_ID": "77", "SLURM_NNODES": "3", "SLURM_NTASKS": "3", "SLURM_NTASKS_PER_NODE": "1",
        ],
        // The program's path comes behind this.
        starter: ["bash", "-c", "FLOTILLA=$0 exec bash '\(SlurmTests.script)' \"$@\""], meanwhile: meanwhile)
    }
  }

  private func prepare(_ model: String, _ place: Place) throws {
    let job = try flotilla(["prepare", model, place.model, "--quiet"], ranks: nil)
    #expect(job.status == 0, "\(job.errors)")
  }

  @Test("Each node gets the bundles of its ranks, and the text is that of one process", arguments: ["pmix", "pmi2"])
  func staging(type: String) throws {
    try withTemporaryFolder { folder in
      let programs = ["srun": Self.srun, "mpirun": Self.mpirun]
      let place = try Place(folder, programs: type == "pmix" ? ["srun": Self.srun] : programs)
      try prepare("Abacus", place)
      let alone = try flotilla(LaunchTests.sum + ["--quiet"], ranks: nil)
      let job = try place.run(Array(LaunchTests.sum.dropFirst()), type: type)
      #expect(job.status == 0 && job.output == alone.output, "\(job.errors)")
      #expect(job.errors.contains { $0.contains("on 3 ranks") }, "\(job.errors)")

      func experts(_ range: Range<Int>) -> [String] { range.map { "expert-0\($0 < 10 ? "0" : "")\($0).bundle" } }
      #expect(place.lines("node-0") == ["dense.bundle"])
      #expect(place.lines("node-1") == ["dense.bundle"] + experts(0..<16) + ["gates.bundle"])
      #expect(place.lines("node-2") == ["dense.bundle"] + experts(0..<32) + ["gates.bundle"])
      let stage = "srun --mpi=none --ntasks=3 --ntasks-per-node=1"
      let ranks = "srun --mpi=pmix --distribution=block --cpu-bind=none --kill-on-bad-exit=1"
      #expect(place.calls == (type == "pmix" ? [stage, ranks] : [stage]))
    }
  }

  @Test("A damaged copy ends the job before any rank starts")
  func damaged() throws {
    try withTemporaryFolder { folder in
      let place = try Place(folder, programs: ["srun": Self.srun])
      try prepare("Abacus", place)
      let file = try FileHandle(forUpdating: folder.appending(path: "prepared/expert-020.bundle"))
      try file.seek(toOffset: 5000)
      try file.write(contentsOf: [1, 2, 3, 4])
      try file.close()
      let job = try place.run(["-p", "a"], type: "pmix")
      #expect(job.status == 2)
      #expect(job.complaints.contains { $0.contains("expert-020.bundle") }, "\(job.errors)")
      #expect(place.calls.count == 1 && !FileManager.default.fileExists(atPath: place.journal))
    }
  }

  @Test("SIGTERM before the time is over: journal, record, requeued; the next start goes on with the same tokens")
  func requeued() throws {
    try withBusyModel { model, folder in
      let place = try Place(
        folder.appending(path: "job"),
        programs: ["srun": Self.srun, "scancel": Self.scancel, "scontrol": Self.scontrol])
      try prepare(model, place)
      let options = ["-p", "a", "--raw", "--ignore-eos", "-n", "300", "--temp", "1.1", "--seed", "7"]
      let stopped = try place.run(options, type: "pmix") { job in
        let text = FileManager.default.contents(atPath: place.journal) ?? Data()
        return text.count(where: { $0 == 10 }) > 20 && job.signal(SIGTERM, whileStopped: 0)
      }
      #expect(stopped.status != 0 && stopped.isClean, "\(stopped.survivors)")
      #expect(place.calls.suffix(2) == ["scancel --signal=TERM 77", "scontrol requeue 77"])
      let left = try Journal(path: place.journal)
      #expect(!left.isComplete && left.tornBytes == 0)
      let written = try StrictJSON.parse(Data(contentsOf: URL(filePath: place.record)))
      #expect(written["tokens"]?["generated"]?.int == left.generatedTokens, "the last token is in the journal")

      let whole = try flotilla(["generate", place.model, "--quiet"] + options, ranks: nil)
      let resumed = try place.run(options, type: "pmix")
      #expect(resumed.status == 0 && resumed.output == whole.output, "\(resumed.errors)")
      #expect(try Journal(path: place.journal).isComplete)
      #expect(place.calls.count { $0.hasPrefix("scontrol") } == 1)
    }
  }
}
