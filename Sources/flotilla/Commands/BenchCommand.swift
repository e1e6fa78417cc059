import ArgumentParser
import Foundation
import Inference
import Reporting

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measure how fast a model reads prompts and generates.",
    discussion: """
      The table that llama-bench prints: pp512 reads a prompt of 512 tokens, tg128 generates 128, "@ d8192" behind a \
      cache of 8192 positions, x4 four sequences at once (tokens of all of them). Tokens are random, the same for the \
      same seed. The cache is filled once for each depth, which takes as long as reading a prompt of that length.

      Behind it: time to the first token and of each step that generates; megabytes of weights and cache that a token \
      needed, of the experts those that ran; bytes a second and operations a second (two for each multiply-add with \
      a weight), also as a share of what flotilla calibrate has found possible on these hosts with as many threads. \
      Between two numbers of threads that it has measured the larger one counts; beyond them no share is shown. The \
      peak of a run that computes in int8 and in f32 lies between those of the two, as the work does.

      EXAMPLES
        flotilla bench
        flotilla bench DeepSeek-V2-Lite -p 512 -n 128 -d 0,8192 --parallel 1,4,16
        mpirun -n 8 --bind-to none \\
          flotilla bench DeepSeek-R1 -pg 512,128 -o jsonl --calibration nodes.json
      More ranks than cores on one host: add --oversubscribe.
      """)

  @OptionGroup(title: "Model") var model: ModelOptions
  @OptionGroup(title: "Tests") var bench: BenchOptions
  @OptionGroup(title: "Ranks") var placement: PlacementOptions

  @Option(
    name: .shortAndLong, help: ArgumentHelp("md, json, jsonl or csv.", valueName: "format"))
  var output = BenchFormat.md

  @Option(
    help: ArgumentHelp(
      "What flotilla calibrate has kept. Default: the file of rank 0's host, where there is one.", valueName: "file"))
  var calibration: String?

  @Flag(name: .shortAndLong, help: "No progress.")
  var quiet = false

  func run() throws {
    var options = try RunOptions(model, placement)
    let plan = bench.plan
    options.makeRoom(for: plan)
    let given = try calibration.map { try Calibration.load(URL(filePath: $0)) }
    try DistributedRun.perform(options, isQuiet: quiet) { session in
      guard session.isCoordinator else { return }
      let setup = session.benchSetup
      let limits = (given ?? kept(session.fleet.hostName)).map { BenchLimits($0, setup) } ?? BenchLimits()
      let bench = Bench(
        session, repetitions: bench.repetitions, warmsUp: bench.warmup, seed: bench.seed,
        isInterrupted: { Fleet.isInterrupted })
      try measure(bench, plan.tests) {
        BenchRow($0, setup, limits, cpu: MachineFacts.ofThisMachine().cpu, version: Flotilla.version)
      }
      _ = try session.finish()
    }
  }

  /// The calibration of this host, if there is one. Nobody asked for it, so one that cannot be read stops nothing.
  private func kept(_ host: String) -> Calibration? {
    let file = Calibration.defaultFile(host: host)
    guard FileManager.default.fileExists(atPath: file.path(percentEncoded: false)) else { return nil }
    do {
      return try Calibration.load(file)
    } catch {
      warn("\(error); measured without it. flotilla calibrate writes it anew")
      return nil
    }
  }

  /// Writes each test when it is done; an interruption ends with what there is.
  private func measure(_ bench: Bench, _ tests: [BenchTest], _ row: (BenchResult) -> BenchRow) throws {
    let width = Terminal.standardOutput.isInteractive ? Terminal.standardOutput.width : nil
    try StandardOutput.write(output.opening(width: width))
    try StandardOutput.flush()
    var isFirst = true
    for test in tests {
      let progress = ProgressLine("Measuring", .steps, isQuiet: quiet)
      do {
        let result = try bench.run(test) { progress.update($1, of: $2, now: $0) }
        progress.finish()
        try StandardOutput.write(try output.text(row(result), isFirst: isFirst, width: width))
        try StandardOutput.flush()
        isFirst = false
      } catch is Interrupted {
        progress.finish()
        StandardError.write("interrupted\n")
        break
      }
    }
    try StandardOutput.write(output.closing(isEmpty: isFirst))
  }
}

extension BenchFormat: AnyCaseArgument {}
