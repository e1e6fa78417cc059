import ArgumentParser
import Checkpoint
import Foundation
import Inference
import Planning
import Reporting

struct Simulate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run a model of any size without its weights: true shapes, gates, routing and messages.",
    discussion: """
      Every layer has its own gate and every expert its place on a rank; tokens, routing, messages and arithmetic are \
      those of a real run. The other weights are random numbers that layers and experts share: few of each shape, and \
      more than a cache holds. So 671B parameters run in a few gigabytes. Tokens are random, and nothing is said.

      Times are those of the machines that this runs on, and every one is marked PHANTOM: the real model would not fit \
      there.

      With --cluster nothing of the model runs: nodes and network are those of a description, on a virtual clock, and \
      every figure is PREDICTED. The placement is the planner's, the dense part divided by those with whom it is fastest, \
      or --placement, divided as a run of it would; --dense-slices says otherwise. Tokens choose experts evenly, by \
      --skew, or as a run did (--replay).

      EXAMPLES
        flotilla simulate v2-lite --quant q4_K
        flotilla simulate r1 --quant q4_K --cluster cluster.json --skew 0.5
        mpirun -n 8 --oversubscribe --bind-to none \\
          flotilla simulate r1 --quant q4_K -p 32 -n 8
      """)

  @Argument(
    help: ArgumentHelp(
      "A shape with a name (r1, v2-lite, DeepSeek-V3, …), a config.json, or a folder with one.", valueName: "model"))
  var model: String

  @Option(help: Quantization.help)
  var quant = Quantization.auto

  @Option(name: [.short, .customLong("n-prompt")], help: "Tokens of each prompt, from 1.")
  var prompt = 32

  @Option(name: [.customShort("n"), .customLong("n-gen")], help: "Tokens that are read one by one after it, from 0.")
  var generated = 8

  @Option(help: "Sequences at once, 1 to 4096.")
  var parallel = 1

  @Option(
    help: """
      How uneven the use of experts is: the exponent of a Zipf law over the experts of a layer, from 0 (as even as random \
      gates are) to 4. An approximation; the report has what came of it.
      """)
  var skew = 0.0

  @Option(
    help: ArgumentHelp(
      "Nodes and network to model, as flotilla calibrate --hostfile writes them. Then nothing of the model runs.",
      valueName: "file"))
  var cluster: String?

  @Option(
    help: ArgumentHelp(
      "Choose experts as a run did that --record-routing wrote, in place of the gates.", valueName: "file"))
  var replay: String?

  @Option(name: .shortAndLong, help: "Seed of weights, gates and tokens.")
  var seed: UInt64 = 0

  @Option(
    name: .shortAndLong,
    help: "Compute threads of each rank, 1 to 1024. Default: its share of the processors it may use.")
  var threads: Int?

  @OptionGroup(title: "Ranks") var placement: PlacementOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  func validate() throws {
    try quant.verify("--quant")
    try check("--n-prompt", prompt, 1...(1 << 20))
    try check("--n-gen", generated, 0...(1 << 20))
    try check("--parallel", parallel, 1...4096)
    try check("--threads", threads, 1...1024)
    try check("--skew", skew, "0 to 4") { $0 >= 0 && $0 <= 4 }
    if replay != nil, skew > 0 { throw ValidationError("--replay and --skew exclude each other.") }
    if cluster != nil { try refuseWhatIsNotModelled() }
    if cluster != nil, output.record != nil || output.recordRouting != nil {
      throw ValidationError("--cluster runs nothing: there is nothing to record.")
    }
  }

  private func refuseWhatIsNotModelled() throws {
    let roles = placement.roles
    let given = [
      ("--coordinator-rank", roles.coordinatorRank != nil), ("--router-rank", roles.routerRank != nil),
      ("--coordinator-experts", roles.coordinatorExperts != nil),
      ("--threads", threads != nil && roles.placement == nil),
    ]
    if let option = given.first(where: \.1)?.0 {
      throw ValidationError("--cluster takes the planner's placement, or --placement: leave out \(option).")
    }
  }

  func run() throws {
    if let cluster { return try VirtualSimulation(self).run(on: cluster) }
    let record = try output.recordFile()
    let simulation = Simulation(prompt: prompt, generated: generated, parallel: parallel, seed: seed)
    try DistributedRun.perform(try options(simulation), isQuiet: output.quiet) { session in
      let progress = ProgressLine("Simulating", .tokens, isQuiet: output.quiet)
      defer { progress.finish() }
      try output.recordRouting(of: session)
      let isKept = record != nil || output.json
      session.engine?.hashesLogits = isKept
      let recorder = ProgressRecorder(record, session)
      try simulation.run(
        session,
        progress: {
          progress.update($0, of: $1)
          if let engine = session.engine { recorder?.report(engine) }
        }, isInterrupted: { Fleet.isInterrupted })
      progress.finish()
      let sampling = RunRecord.Sampling(seed: seed, maxTokens: generated)
      let finished = try RunRecord(of: session, sampling: sampling, id: recorder?.id, isKept: isKept)
      if output.json {
        try StandardOutput.write(String(decoding: try finished.jsonLine(), as: UTF8.self) + "\n")
      } else {
        try StandardOutput.write(ThroughputReport(finished).text)
      }
      try record?.append(finished)
    }
  }

  private func options(_ simulation: Simulation) throws -> RunOptions {
    let shape = try ModelShape(like: model, option: "MODEL")
    try Workload(prompt: prompt, generated: generated, context: simulation.positions).check(
      is: shape.configuration, "-p, -n")
    var options = RunOptions(model: URL(filePath: "/").appending(path: shape.name), version: Flotilla.version)
    options.phantom = try PhantomModel(shape.name, shape.configuration, seed: seed, skew: skew)
    if let replay {
      let record = try RoutingRecord(path: replay)
      try record.check(is: shape.configuration, named: shape.name, "--replay \(replay)")
      options.replay = record
    }
    options.formats = quant.text
    options.threads = threads
    options.contextSize = simulation.positions
    options.parallel = parallel
    options.take(placement)
    return options
  }
}
