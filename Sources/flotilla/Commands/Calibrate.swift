import ArgumentParser
import Foundation
import Inference
import Kernels
import Reporting

struct Calibrate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure what memory, arithmetic and messages between ranks can do at most.",
    discussion: """
      For every host: bytes read a second and multiply-adds a second in registers, f32 and int8, by number of \
      threads, alone; under mpirun also what all ranks of a host read at once, and half the round trip of messages \
      between every pair of ranks while the others are quiet.

      Kept as JSON, which flotilla bench compares its runs with; with a buffer below 4 times the last-level cache only \
      where -o names a file. Nothing else should run meanwhile.

      EXAMPLES
        flotilla calibrate
        mpirun -n 8 --map-by node --bind-to none flotilla calibrate -o nodes.json
        flotilla calibrate --json
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
  var timeout = 10.0

  @Flag(help: "The JSON on standard output instead of text.")
  var json = false

  @Flag(name: .shortAndLong, help: "No progress, no text.")
  var quiet = false

  func validate() throws {
    if output?.isEmpty == true { throw ValidationError("--output: expected a file name, found nothing.") }
    try check("--threads", threads, 1...1024)
    try check("--repetitions", repetitions, 1...1000)
    try check("--buffer", buffer, 1...(1 << 20))
    try check("--timeout", timeout, "seconds above 0, at most 86400") { $0 > 0 && $0 <= 86_400 }
  }

  func run() throws {
    let options = CalibrationOptions(
      bufferBytes: buffer.map { $0 << 20 }, repeats: repetitions, threads: threads)
    let silence = Duration.milliseconds(max(1, Int64(timeout * 1000)))
    // Reads with any number of threads, so all domains.
    try DistributedRun.perform(timeout: silence, staysInDomain: false, hub: { _ in 0 }) { fleet in
      let rank = CalibrationRank(
        exchange: fleet.exchange, kernels: try KernelTable.selected(), isInterrupted: { Fleet.isInterrupted })
      guard fleet.rank == fleet.coordinator else { return try rank.serve() }
      let progress = ProgressLine("Measuring", .steps, isQuiet: quiet)
      defer { progress.finish() }
      let calibration = try Calibrator(rank, options: options) { progress.update($0, of: $1, now: $2) }
        .run(version: Flotilla.version)
      progress.finish()
      // Limits of the cache must not become what every bench is compared with.
      let unfit = output == nil ? calibration.hostThatReadCache : nil
      let file = output.map { URL(filePath: $0) } ?? Calibration.defaultFile(host: fleet.hostName)
      if unfit == nil { try calibration.write(to: file) }
      try show(calibration, unfit == nil ? file : nil)
      if let unfit { warn(notKept(unfit)) }
    }
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
