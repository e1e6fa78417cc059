import ArgumentParser
import Doctor
import Foundation
import Inference
import Kernels
import MessagePassing
import Nodes
import Reporting

struct Calibrate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure what memory, arithmetic and messages between ranks can do at most.",
    discussion: """
      For every host: bytes read a second and multiply-adds a second in registers, f32 and int8, by number of \
      threads, alone; under mpirun also what all ranks of a host read at once, and half the round trip of messages \
      between every pair of ranks while the others are quiet.

      With nodes (--hostfile or --hosts) it starts the job by itself, one rank on each node, measures every link in both \
      directions too and, with every node computing beside a stream of messages, what these take from its processors, and \
      writes the cluster description that -o names.

      Without nodes it is kept as JSON, which flotilla bench compares its runs with; with a buffer below 4 times the last-level cache only \
      where -o names a file. Nothing else should run meanwhile.

      EXAMPLES
        flotilla calibrate
        mpirun -n 8 --map-by node --bind-to none flotilla calibrate -o nodes.json
        flotilla calibrate --json
        flotilla calibrate --hostfile hosts -o cluster.json
      """)

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "Where to keep it. Default: calibration-HOST.json in $XDG_CACHE_HOME/flotilla or ~/.cache/flotilla of rank 0.",
      valueName: "file"))
  var output: String?

  @Option(name: .shortAndLong, help: "Most threads to try. Default: all cores.")
  var threads: Int?

  @Option(name: .shortAndLong, help: "Measurements of each speed.")
  var repetitions = 7

  @Option(
    help: ArgumentHelp(
      """
      Size of the buffer that is read. Default: 4 times the last-level cache, at least 512, at most half of the free \
      memory.
      """, valueName: "MiB"))
  var buffer: Int?

  @Option(help: ArgumentHelp("How long a rank may be silent before the job ends.", valueName: "seconds"))
  var timeout = Fleet.defaultTimeout / .seconds(1)

  @OptionGroup(title: "NODES") var nodes: NodeOptions

  @Option(help: ArgumentHelp("With nodes: a remark to keep in the description.", valueName: "text"))
  var note: String?

  @Flag(help: "The JSON on standard output instead of text.")
  var json = false

  @Flag(name: .shortAndLong, help: "No progress, no text.")
  var quiet = false

  /// Of a job that a doctor or another calibrate started: every rank is a node, whatever its host is called.
  @Flag(help: .hidden) var eachRank = false
  @Flag(help: .hidden) var linksOnly = false

  func validate() throws {
    if note != nil, !nodes.isNamed { throw ValidationError("--note needs --hostfile or --hosts.") }
    if output?.isEmpty == true { throw ValidationError("--output: expected a file name, found nothing.") }
    try check("--threads", threads, 1...1024)
    try check("--repetitions", repetitions, 1...1000)
    try check("--buffer", buffer, 1...(1 << 20))
    try check("--timeout", timeout, "seconds above 0, at most 86400") { $0 > 0 && $0 <= 86_400 }
  }

  func run() throws {
    if nodes.isNamed { return try describe() }
    let options = CalibrationOptions(
      bufferBytes: buffer.map { $0 << 20 }, repeats: repetitions, threads: threads)
    let silence = Duration.milliseconds(max(1, Int64(timeout * 1000)))
    // Reads with any number of threads, so all domains.
    try DistributedRun.perform(timeout: silence, staysInDomain: false, hub: { _ in 0 }) { fleet in
      let rank = CalibrationRank(
        exchange: fleet.exchange, kernels: try KernelTable.selected(), isInterrupted: { Fleet.isInterrupted })
      guard fleet.rank == fleet.coordinator else { return try rank.serve() }
      try checkOutput()
      let progress = ProgressLine("Measuring", .steps, isQuiet: quiet)
      defer { progress.finish() }
      let calibrator = Calibrator(rank, options: options) { progress.update($0, of: $1, now: $2) }
      if eachRank {
        try StandardOutput.write(NodeJob.started + "\n")
        try StandardOutput.flush()
        let measurement = try calibrator.cluster(mpi: MPISession.libraryVersion, includesMachines: !linksOnly)
        progress.finish()
        return try StandardOutput.write(JSONLines.line(measurement))
      }
      let calibration = try calibrator.run(version: Flotilla.version)
      progress.finish()
      // Limits of the cache must not become what every bench is compared with.
      let unfit = output == nil ? calibration.hostThatReadCache : nil
      let file = output.map { URL(filePath: $0) } ?? Calibration.defaultFile(host: fleet.hostName)
      if unfit == nil { try calibration.write(to: file, makesFolders: output == nil) }
      try show(calibration, unfit == nil ? file : nil)
      if !quiet { CalibrationReport(calibration).warnings.forEach(warn) }
      if let unfit { warn(notKept(unfit)) }
    }
  }

  /// Before anything is measured.
  private func checkOutput() throws {
    if let output { try OutputFile(option: "--output", path: output).checkFolder() }
  }

  /// Measures a cluster from outside.
  private func describe() throws {
    guard ProcessRank.current.isFirst else { return }
    TerminationSignal.install()
    try checkOutput()
    let hosts = try nodes.nodes()
    let needs = RankOrder.node.ranks(of: hosts.hosts).map { NodeNeed(ranks: $0) }
    let request = nodes.request(hosts, needs: needs, command: NodeOptions.commandLine)
    var options = ["-r", "\(repetitions)", "--timeout", "\(timeout)", "--quiet"]
    if let threads { options += ["-t", "\(threads)"] }
    if let buffer { options += ["--buffer", "\(buffer)"] }
    let isQuiet = quiet
    var cluster: ClusterDescription
    do {
      let limit = 600 + 2 * Double(hosts.hosts.count * hosts.hosts.count)
      cluster = try ClusterCalibration(request) { TerminationSignal.requested }
        .run(options: options, limit: limit) { if !isQuiet { StandardError.write("calibrate: \($0)\n") } }
    } catch is NodeInterrupted {
      throw Interrupted()
    }
    cluster.note = note
    if let output { try cluster.write(to: URL(filePath: output)) }
    if json || output == nil { return try StandardOutput.write(cluster.json()) }
    guard !quiet, let output else { return }
    let report = ClusterReport(cluster).text
    try StandardOutput.write(report + "\nKept in \(printable(output)).\n")
  }

  private func show(_ calibration: Calibration, _ file: URL?) throws {
    if json { return try StandardOutput.write(calibration.json()) }
    guard !quiet else { return }
    let kept = file.map { "\nKept in \(printable($0.path(percentEncoded: false))).\n" } ?? ""
    try StandardOutput.write(CalibrationReport(calibration).text + kept)
  }

  private func notKept(_ host: Calibration.Host) -> String {
    let machine = host.machine
    let size = "\(Format.bytes(host.bufferBytes)) instead of \(Format.bytes(machine.bufferBeyondCache)) or more"
    let cache = machine.lastLevelCacheBytes == nil ? "" : ", four times its last-level cache"
    return "not kept: host \(host.name) read \(size)\(cache), so much of it may have come from the cache; "
      + "-o FILE keeps it all the same"
  }
}
