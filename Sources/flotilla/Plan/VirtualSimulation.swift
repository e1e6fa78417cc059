import Checkpoint
import DeepSeek
import ExpertParallel
import Foundation
import Inference
import Planning
import Reporting

/// `simulate --cluster`: a run on modelled nodes, on a virtual clock.
struct VirtualSimulation {
  private let options: Simulate

  init(_ options: Simulate) { self.options = options }

  func run(on file: String) throws {
    guard ProcessRank.current.isFirst else { return }
    let cluster = try ClusterDescription.load(URL(filePath: file))
    let subject = try Subject(planning: options.model)
    let formats = try subject.formats(options.quant.text)
    let costs = ModelCosts(subject.configuration, formats)
    let workload = Workload(prompt: options.prompt, generated: options.generated, sequences: options.parallel)
    try workload.check(is: subject.configuration, "-p, -n")
    let (placement, layout) = try place(subject, costs, cluster, workload)
    let (visits, source) = try visits(subject, workload)
    let run = VirtualRun(costs, placement: placement, layout: layout, workload: workload, visits: visits)
    if options.output.json {
      return try StandardOutput.write(
        JSONLines.indented(VirtualFacts(run, layout, model: subject.name, formats, source)))
    }
    let page = VirtualPage(
      run, layout, name: subject.name, format: formats.description, source: source,
      denseSlices: options.placement.roles.denseSlices, looksAtMemory: options.placement.roles.placement == nil)
    try StandardOutput.write(page.text)
  }

  /// The planner's, or that of a file, whose ranks go round the nodes.
  private func place(
    _ subject: Subject, _ costs: ModelCosts, _ cluster: ClusterDescription, _ workload: Workload
  ) throws -> (Placement, RankLayout) {
    let roles = options.placement.roles
    if let path = roles.placement {
      let placement = try Placement.load(URL(filePath: path), experts: costs.configuration.routedExperts)
      let layout = RankLayout(cluster: cluster, ranks: placement.ranks, threads: options.threads)
      return (placement.divided(roles.denseSlices, costs.sizes, layout), layout)
    }
    let search = PlanSearch(costs, on: cluster, workload: workload, denseSlices: roles.denseSlices)
    do {
      let plan = try search.best()
      return (plan.placement, plan.layout)
    } catch {
      let ways = FittingWays(search, subject, cacheFormat: nil).hint.map { $0 + "; " } ?? ""
      throw UsageError(
        "--cluster: expected room for the model in \(costs.formats.description), found too little memory",
        hint: ways + "flotilla plan with the same cluster tells what is missing where; --placement models it all the "
          + "same")
    }
  }

  /// - Returns: visits, and where they come from.
  private func visits(
    _ subject: Subject, _ workload: Workload
  ) throws -> (RoutingSample, source: String) {
    let configuration = subject.configuration
    guard let path = options.replay else {
      let visits = RoutingSample(
        visits: workload.generated, sequences: workload.sequences, configuration, skew: options.skew, gates: .uniform,
        seed: options.seed)
      return (visits, options.skew > 0 ? "by a Zipf law of \(options.skew)" : "chosen evenly")
    }
    let record = try RoutingRecord(path: path)
    try record.check(is: configuration, named: subject.name, "--replay \(path)")
    let visits = RoutingSample(visits: workload.generated, sequences: workload.sequences, of: record)
    return (visits, RoutingSource(record, file: path).description)
  }
}

extension Workload {
  /// - Parameter options: that it comes from.
  /// - Throws: ``UsageError`` where a sequence is longer than the model's longest.
  func check(is configuration: ModelConfiguration, _ options: String) throws {
    guard context > configuration.maxPositions else { return }
    let least = prompt + generated
    throw UsageError(
      "\(options): expected at most \(configuration.maxPositions) tokens (the model's maximum), found \(context)",
      hint: least > configuration.maxPositions
        ? "give a shorter prompt with -p, or generate less with -n: together they are \(least)" : nil)
  }
}

/// A virtual run as JSON. All speeds and times are predicted.
private struct VirtualFacts: Encodable {
  struct Part: Encodable {
    let part: String
    let seconds: Double
  }

  let isPredicted = true
  let model: String
  let format: String
  let experts: String
  let workload: Workload
  let ranks: Int
  /// Ranks that divide the dense part of generated tokens with the coordinator.
  let slices: String
  /// Nodes whose processors' work for messages counts as nothing, since it was not calibrated.
  let omitsMessagesOf: [String]
  /// Whether a placement, the planner or an option said who; else nobody divides because a run would not by itself.
  let decidesSlices: Bool
  let decodeTokensPerSecond: Double?
  let prefillTokensPerSecond: Double?
  let stepSecondsMedian: Double?
  let stepSecondsP99: Double?
  let expertsOnBusiestRank: Double?
  /// Of all steps.
  let parts: [Part]
  let expertSeconds: [Double]
  let timesBusiest: [Int]

  init(_ run: VirtualRun, _ layout: RankLayout, model: String, _ formats: WeightFormats, _ source: String) {
    (self.model, format, experts, workload) = (model, formats.description, source, run.workload)
    ranks = run.placement.ranks
    slices = ExpertRanges.text(run.placement.slices)
    omitsMessagesOf = layout.namesWithoutMessageCost
    decidesSlices = run.placement.decidesSlices
    let hasSteps = !run.steps.isEmpty
    decodeTokensPerSecond = hasSteps ? run.tokensPerSecond : nil
    prefillTokensPerSecond = run.prefill?.tokensPerSecond
    stepSecondsMedian = hasSteps ? run.stepSeconds(share: 0.5) : nil
    stepSecondsP99 = hasSteps ? run.stepSeconds(share: 0.99) : nil
    expertsOnBusiestRank = hasSteps ? run.expertsOnBusiestRank : nil
    parts = run.phases.map { Part(part: $0.kind.rawValue, seconds: $0.seconds) }
    (expertSeconds, timesBusiest) = (run.expertSeconds, run.timesBusiest)
  }
}
