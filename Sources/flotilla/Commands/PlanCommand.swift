import ArgumentParser
import Checkpoint
import DeepSeek
import ExpertParallel
import Foundation
import Inference
import Kernels
import Planning
import Reporting
import Synchronization

struct PlanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Predict whether a model fits a cluster, how fast it will run, and what would help.",
    discussion: """
      Reads a model's shape and the description of a cluster that flotilla calibrate writes; runs nothing. Finds the \
      placement that is predicted to be the fastest among those that fit, and shows the sums: bytes over bandwidths, \
      multiply-adds over peaks, latencies. Every speed is PREDICTED, none measured; Documentation/Planning.md explains \
      them.

      EXAMPLES
        flotilla plan r1 --quant q4_K --cluster cluster.json
        flotilla plan DeepSeek-R1/config.json --cluster cluster.json --parallel 16
        flotilla plan /models/r1-q4 --cluster cluster.json -c 8192 -o plan

      EXIT CODES
        2 where the model does not fit: what is missing, by node, is shown.
      """)

  @Argument(
    help: ArgumentHelp(
      "A checkpoint, a config.json, a folder that holds one, or the name of a published model or shape.",
      valueName: "model"))
  var model: String

  @Option(
    help: ArgumentHelp(
      """
      Description of the cluster, as flotilla calibrate writes it with --hostfile or --hosts, and -o; the sources hold \
      three in Cluster/examples/.
      """,
      valueName: "file"))
  var cluster: String

  @Option(help: Quantization.help)
  var quant = Quantization.auto

  @Option(help: "Format of the latents in attention's cache: auto, f32 or f16 (half the memory).")
  var cacheType = CacheType.auto

  @Option(
    name: [.customShort("c"), .customLong("ctx-size")],
    help: "Most tokens of a sequence, prompt included, from 1. Default: the prompt and what is generated.")
  var contextSize: Int?

  @Option(help: "Sequences that are generated at once, which the plan is made for, 1 to 4096.")
  var parallel = 1

  @Option(name: [.customShort("p"), .customLong("n-prompt")], help: "Tokens of a prompt.")
  var prompt = 512

  @Option(name: [.customShort("n"), .customLong("n-gen")], help: "Tokens to generate.")
  var generated = 128

  @Option(
    help: ArgumentHelp("Predict this placement in place of the best one; ranks go round the nodes.", valueName: "file"))
  var placement: String?

  @Option(
    help: ArgumentHelp("The same for the placement that a run on so many ranks has by itself.", valueName: "ranks"))
  var ranks: Int?

  @Option(
    help: ArgumentHelp(
      """
      Who divides larger products of attention, dense layers and head for generated tokens: the ranks of the \
      coordinator's node, all, or none. Default: whatever is fastest; with --placement or --ranks as the file says, else \
      as a run does by itself.
      """, valueName: "host|all|none"))
  var denseSlices: DenseSlicing?

  @Option(
    name: .shortAndLong,
    help: "With --placement or --ranks: threads of each rank, 1 to 1024. Default: the cores of its node, divided.")
  var threads: Int?

  @Option(
    help: """
      How tokens choose where no --routing says it: uniform, every set of groups and of experts in them equally often; \
      independent, as gates with random weights do, which is more even.
      """)
  var gates = RoutingSample.Gates.uniform

  @Option(
    help: ArgumentHelp(
      "A run's routing, as --record-routing wrote it, in place of an even one: which experts tokens visit.",
      valueName: "file"))
  var routing: String?

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "Write placement.json, hostfile, plan.md and the lines to paste, commands.txt, to a folder.", valueName: "folder")
  )
  var output: String?

  @Flag(help: "One JSON object instead of text.")
  var json = false

  @Flag(help: "Markdown instead of text.")
  var markdown = false

  func validate() throws {
    try quant.verify("--quant")
    try check("--ctx-size", contextSize, 1...(1 << 24))
    try check("--parallel", parallel, 1...4096)
    try check("-p", prompt, 0...(1 << 24))
    try check("-n", generated, 1...(1 << 24))
    try check("--ranks", ranks, 1...Placement.mostRanks)
    try check("--threads", threads, 1...1024)
    if placement != nil, ranks != nil { throw ValidationError("--placement and --ranks exclude each other.") }
    if placement != nil || ranks != nil {
      if output != nil { throw ValidationError("--output writes the best plan: leave out --placement and --ranks.") }
    } else if threads != nil {
      throw ValidationError("--threads needs --placement or --ranks.")
    }
    if json, markdown { throw ValidationError("--json and --markdown exclude each other.") }
    if output?.isEmpty == true { throw ValidationError("--output: expected a folder, found nothing.") }
    if let contextSize, contextSize < prompt + generated {
      throw ValidationError(
        "--ctx-size: expected room for -p and -n, \(prompt + generated) or more, found \(contextSize)")
    }
  }

  func run() throws {
    guard ProcessRank.current.isFirst else { return }
    if let output { try PlanFolder.check(output) }
    let description = try ClusterDescription.load(URL(filePath: cluster))
    let subject = try Subject(planning: model)
    let configuration = subject.configuration
    let workload = Workload(prompt: prompt, generated: generated, sequences: parallel, context: contextSize)
    try workload.check(is: configuration, "--ctx-size, -p, -n")
    let costs = ModelCosts(configuration, try subject.formats(quant.text), cacheFormat: cacheType.format)
    let (sample, source) = try sample(subject)
    if placement != nil || ranks != nil {
      return try show(given(subject, costs, description, workload, sample, source))
    }
    let search = PlanSearch(
      costs, on: description, workload: workload, sample: sample, denseSlices: denseSlices)
    let plan: Plan
    do {
      plan = try search.best(progress: Self.progress("Looking for the fastest placement"))
    } catch {
      throw try refused(error, search, subject, description)
    }
    let whatIfs = WhatIf.all(plan, search, progress: Self.progress("Looking at what purchases would gain"))
    let comparisons = Comparison.all(plan)
    let folder = output.map {
      PlanFolder($0, plan, prepared: subject.prepared.map { $0.folder.path }, cacheType: cacheType)
    }
    let page = PlanPage(
      plan, name: subject.name, routing: source, whatIfs: whatIfs, comparisons: comparisons,
      commands: folder?.commands ?? [])
    if json {
      let facts = PlanFacts(plan, name: subject.name, routing: source, whatIfs: whatIfs, comparisons: comparisons)
      try StandardOutput.write(JSONLines.indented(facts))
    } else {
      try StandardOutput.write(markdown ? page.markdown() : page.text)
    }
    guard let folder else { return }
    try folder.write(page: page.markdown())
    StandardError.write("Wrote \(printable(folder.folder.path)).\n")
  }

  /// A line for a search, removed with the closure.
  private static func progress(_ label: String) -> PlanSearch.Progress {
    let line = Mutex(ProgressLine(label, .groups))
    return { done, total in line.withLock { $0.update(done, of: total) } }
  }

  private func given(
    _ subject: Subject, _ costs: ModelCosts, _ cluster: ClusterDescription, _ workload: Workload,
    _ sample: RoutingSample, _ source: RoutingSource
  ) throws -> GivenPlacement {
    let configuration = subject.configuration
    let found: Placement
    if let placement {
      found = try Placement.load(URL(filePath: placement), experts: configuration.routedExperts)
    } else {
      found = try Placement.contiguous(
        for: configuration, ranks: ranks ?? 1, coordinator: 0, router: nil, coordinatorExperts: nil)
    }
    return GivenPlacement(
      found, costs, on: cluster, threads: threads, workload: workload, sample: sample, routing: source,
      name: subject.name, denseSlices: denseSlices)
  }

  private func show(_ given: GivenPlacement) throws {
    if json { return try StandardOutput.write(JSONLines.indented(given.facts)) }
    try StandardOutput.write(markdown ? given.page.markdown : given.page.text)
  }

  /// What tokens choose, and where that comes from.
  private func sample(_ subject: Subject) throws -> (RoutingSample, RoutingSource) {
    guard let routing else {
      return (RoutingSample(subject.configuration, tokens: PlanSearch.sampleTokens, gates: gates), .gates(gates))
    }
    let record = try RoutingRecord(path: routing)
    try record.check(is: subject.configuration, named: subject.name, "--routing \(routing)")
    return (RoutingSample(record, most: PlanSearch.sampleTokens), RoutingSource(record, file: routing))
  }

  /// Shows what is missing.
  ///
  /// - Returns: the error to end with.
  private func refused(
    _ shortage: Shortage, _ search: PlanSearch, _ subject: Subject, _ cluster: ClusterDescription
  ) throws -> any Error {
    let format = search.costs.formats.description
    let fitting = FittingWays(search, subject, cacheFormat: cacheType.format)
    let page = ShortagePage(shortage, on: cluster, name: subject.name, formats: format)
    if json {
      let facts = ShortageFacts(shortage, on: cluster, name: subject.name, format: format, fitting: fitting)
      try StandardOutput.write(JSONLines.indented(facts))
    } else {
      try StandardOutput.write(markdown ? page.markdown() : page.text)
    }
    return UsageError(
      "--cluster: expected room for the model in \(format), found \(page.summary)",
      hint: fitting.hint ?? fitting.purchase)
  }
}
