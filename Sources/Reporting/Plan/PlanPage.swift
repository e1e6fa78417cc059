import DeepSeek
import ExpertParallel
import Foundation
import Inference
import Planning

/// A plan for people: text for a terminal, or Markdown. Every figure in it is predicted, and says so.
public struct PlanPage {
  let plan: Plan
  let name: String
  let whatIfs: [WhatIf]
  let comparisons: [Comparison]
  /// Lines to paste.
  let commands: [String]
  let routing: RoutingSource

  /// - Parameters:
  ///   - name: of the model.
  ///   - routing: what the plan's sample is.
  public init(
    _ plan: Plan, name: String, routing: RoutingSource, whatIfs: [WhatIf], comparisons: [Comparison],
    commands: [String]
  ) {
    self.plan = plan
    self.name = name
    self.routing = routing
    self.whatIfs = whatIfs
    self.comparisons = comparisons
    self.commands = commands
  }

  /// For a terminal.
  public var text: String { PageBlock.text(blocks) }

  /// As GitHub renders it; headings from `level` on.
  public func markdown(level: Int = 1) -> String { PageBlock.markdown(blocks, level: level) }

  private var blocks: [PageBlock] {
    headline + fit + experts + division + token + prompt + [.heading("What would help most")] + gains + comparison
      + paste + small
  }

  private var cluster: ClusterDescription { plan.cluster }
  private var workload: Workload { plan.workload }

  // MARK: - Blocks

  private var headline: [PageBlock] {
    let nodes = plan.fits.count
    let streams = Set([1, workload.sequences]).sorted()
    var table = TextTable([
      .init("Streams"), .init("Prompt, tokens/s PREDICTED"), .init("Decode, tokens/s PREDICTED"), .init("each stream"),
    ])
    for count in streams {
      let prediction = count == workload.sequences ? plan.prediction : plan.prediction(sequences: count)
      let decode = prediction.decode.tokensPerSecond
      table.append([
        "\(count)", prediction.prefill.map { Format.significant($0.tokensPerSecond) } ?? Format.none,
        Format.significant(decode), Format.significant(decode / Double(count)),
      ])
    }
    let decode = plan.prediction.decode
    let most = decode.limits.first { $0.limit == decode.limit }?.seconds ?? 0
    let limit =
      "\(decode.limit.rawValue), \(Format.significant(most * 1e3)) of \(Format.significant(decode.secondsPerStep * 1e3)) ms"
    let prefill = plan.prediction.prefill.map { " A prompt waits most for \($0.limit.rawValue)." } ?? ""
    return [
      .title(
        "\(name), weights in \(plan.costs.formats.description), on \(nodes) node\(nodes == 1 ? "" : "s"): PREDICTED"),
      .text(
        "Prompt of \(workload.prompt) tokens, \(workload.generated) generated, context \(workload.context). Computed from "
          + "bandwidths, arithmetic and latencies of the cluster's description; nothing was run."),
      .text(cluster.note.map { "The cluster: " + printable($0) } ?? ""), .table(table),
      .text("Decode waits most for \(limit), by cause over all parts (below).\(prefill)"),
    ]
  }

  private var fit: [PageBlock] {
    var table = TextTable([
      .init("Node", .left), .init("Does", .left), .init("Experts"), .init("they take"), .init("dense part"),
      .init("gates"), .init("cache"), .init("buffers"), .init("Sum"), .init("of"),
    ])
    for group in FitGroup.groups(plan) {
      let fit = group.fit
      table.append(
        [group.names(cluster), group.does, "\(fit.experts)"]
          + [fit.expertBytes, fit.denseBytes, fit.gateBytes, fit.cacheBytes, fit.bufferBytes, fit.bytes, fit.capacity]
          .map { $0 == 0 ? Format.none : Format.bytes($0) })
    }
    return [
      .heading("It fits"), .table(table),
      .text(
        "Bytes in powers of 1024. \"of\": what was available, less a twentieth that stays free. Experts: of each of the "
          + "\(plan.costs.expertLayers) layers that have \(plan.costs.configuration.routedExperts)." + idle),
    ]
  }

  /// Nodes that are not used, by reason.
  private var idle: String {
    let byReason = Dictionary(grouping: plan.idleNodes, by: plan.idleness)
    let reasons: [(Plan.Idleness, String)] = [
      (.isNoFaster, "since that is no slower"), (.isTooSmall, "since not one expert fits"),
      (.hasTooManyDomains, "since there would be more than \(Placement.mostRanks) ranks"),
    ]
    return reasons.map { reason, text in
      byReason[reason].map { " Not used, \(text): \(FitGroup.ranges($0, cluster))." } ?? ""
    }.joined()
  }

  private var experts: [PageBlock] {
    var table = TextTable([
      .init("A rank's experts are of", .left), .init("Busiest host"), .init("Hosts reached"), .init("Rows back"),
      .init("Decode, tokens/s PREDICTED"), .init("Prompt"),
    ])
    func append(_ spread: Int, _ load: PlacementLoad, _ prediction: Prediction, _ mark: String) {
      table.append([
        Self.spreadName(spread, plan.costs.configuration.groups) + mark, Format.significant(load.busiest),
        Format.significant(load.hosts), Format.significant(load.sums),
        Format.significant(prediction.decode.tokensPerSecond),
        prediction.prefill.map { Format.significant($0.tokensPerSecond) } ?? Format.none,
      ])
    }
    append(plan.spread, plan.load, plan.prediction, " (chosen)")
    var others: [String] = []
    for spread in Set([1, plan.costs.configuration.groups]).sorted() where spread != plan.spread {
      guard let other = plan.alternative(spread: spread) else { continue }
      append(spread, other.load, other.prediction, "")
      others.append(
        "\(Format.seconds(other.prediction.seconds)) with \(spread == 1 ? "aligned" : "striped") experts")
    }
    let why =
      "Chosen by time: \(workload.sequences) x (\(workload.prompt) + \(workload.generated)) tokens take "
      + "\(Format.seconds(plan.prediction.seconds))"
      + (others.isEmpty ? "." : ", " + others.joined(separator: ", ") + ".")
    return [
      .heading("Which experts go where"), .table(table),
      .text(
        "Of a token's \(plan.costs.configuration.expertsPerToken) experts of a layer, \(routing). " + why),
    ]
  }

  /// Who computes the dense part of generated tokens.
  private var division: [PageBlock] {
    let others = plan.otherDivisions
    let text = DivisionText(placement: plan.placement, layout: plan.layout, sequences: workload.sequences)
    let asked = plan.denseSlices.flatMap { text.sentence(asked: $0) }.map { $0 + " No plan of another kind was tried." }
    guard !others.isEmpty else { return asked.map { [.text($0)] } ?? [] }
    var table = TextTable([.init("Dense part of generated tokens", .left), .init("Decode, tokens/s PREDICTED")])
    func append(_ placement: Placement, _ prediction: Prediction, _ mark: String) {
      let ranks = placement.slices.count + 1
      let name =
        ranks == 1
        ? "on the coordinator alone"
        : ranks == placement.ranks ? "divided among all \(ranks) ranks" : "among the \(ranks) ranks of its node"
      table.append([name + mark, Format.significant(prediction.decode.tokensPerSecond)])
    }
    let isAsIntended = plan.denseSlices == DenseSlicing.none || !plan.placement.slices.isEmpty
    append(plan.placement, plan.prediction, asked == nil ? " (chosen)" : isAsIntended ? " (asked for)" : "")
    for other in others { append(other.placement, other.prediction, other.fits ? "" : " (does not fit)") }
    return [
      .table(table),
      .text(
        "Divided: output rows of the queries' and the output projection of each layer, of dense layers (two products) and of "
          + "the head, for at most \(SliceShare.mostTokensBesideExperts) rows; among ranks of one node also for more, where "
          + "no experts run meanwhile: the dense layers of a prompt. A product's inputs go to each rank as its kernels read "
          + "them, outputs come back in f32; that wire and these messages are in the sums below. Each rank holds its rows "
          + "once more." + (others.allSatisfy(\.fits) ? "" : " Does not fit: not beside these numbers of experts.")
          + (asked.map { " " + $0 } ?? "")),
    ]
  }

  private static func spreadName(_ spread: Int, _ groups: Int) -> String {
    if spread == 1 { return "neighbouring groups: aligned" }
    return spread == groups ? "all \(groups) groups: striped" : "\(spread) of \(groups) groups"
  }

  private var token: [PageBlock] {
    let decode = plan.prediction.decode
    let table = PhaseSum.table(decode)
    let streams = workload.sequences == 1 ? "a token" : "a step of \(workload.sequences) tokens"
    let causes = decode.limits.filter { $0.seconds > 0 }.sorted { $1.seconds < $0.seconds }
      .map { "\($0.limit.rawValue) \(Format.significant($0.seconds * 1e3))" }
    return [
      .heading("Where the time of \(streams) goes"), .table(table),
      .text(
        "At depth \(decode.depth). Bandwidths and peaks are those of the cluster times what Flotilla reaches of them (below). "
          + "The busiest host is the one that a layer waits for: "
          + "\(Format.significant(decode.expertsOnBusiestHost)) experts in the mean, "
          + "\(PhaseSum.bytes(plan.costs.expert.bytes)) each in \(plan.costs.expertLayers) layers. A row of "
          + "\(Format.exact(Int(plan.costs.dispatchBytes))) bytes goes to each host that a token reaches, up to the busiest "
          + "one's; rows of \(Format.exact(Int(plan.costs.rowBytes) + 8)) come back, which the coordinator's port takes as "
          + "they get ready, most before the busiest host is done."),
      .text(
        "The same ms by cause, over all parts: \(causes.joined(separator: ", ")). A part's messages and wire count as latency "
          + "and network whoever waits for them. \(Self.words)"),
    ]
  }

  /// What sums are made of, where a name alone does not say it.
  private static let words =
    "\"Beside\": to start jobs and to wake their threads, and in gates to choose experts. \"Do not overlap\": of reading "
    + "and computing what the longer one does not hide of the shorter one, product by product (how much: below); all of it "
    + "where one product reads for longer and the next computes for longer."

  private var prompt: [PageBlock] {
    guard let prefill = plan.prediction.prefill else { return [] }
    var table = TextTable([
      .init("Takes part", .left), .init("Busy, s PREDICTED"), .init("Others wait for it, s"),
    ])
    for (busy, bound) in zip(prefill.resources, prefill.bound) where busy.seconds > 0 {
      table.append([
        busy.kind.rawValue, Format.significant(busy.seconds),
        bound.seconds > 0 ? Format.significant(bound.seconds) : Format.none,
      ])
    }
    table.append(["all", Format.none, Format.significant(prefill.seconds)])
    var sums = TextTable([
      .init("Takes part", .left), .init("With", .left), .init("s PREDICTED"), .init("Sum", .left),
    ])
    for part in plan.promptParts {
      sums.append([
        part.resource.rawValue, part.name, Format.significant(part.phase.seconds), PhaseSum.text(part.phase),
      ])
    }
    return [
      .heading("Where the time of a prompt goes"), .table(table),
      .text(
        "\(workload.prompt) tokens in chunks of \(workload.prefillChunk), each in up to \(workload.microBatches) parts "
          + "that overlap: in every layer what is busiest decides; the last part's experts are waited for alone, once a chunk. What "
          + "each is busy with\(MessagesNote.legend(plan.promptParts)):"),
      .table(sums),
    ]
  }

  private var gains: [PageBlock] {
    var table = TextTable([
      .init("With", .left), .init("Decode, tokens/s PREDICTED"), .init("gain"), .init("Prompt, tokens/s"),
      .init("gain"),
    ])
    let now = plan.prediction
    for whatIf in whatIfs {
      let then = whatIf.prediction
      func gain(_ new: Double?, _ old: Double?) -> String {
        guard let new, let old, old > 0 else { return Format.none }
        return String(format: "%+.0f %%", (new / old - 1) * 100)
      }
      table.append([
        whatIf.change.rawValue, Format.significant(then.decode.tokensPerSecond),
        gain(then.decode.tokensPerSecond, now.decode.tokensPerSecond),
        then.prefill.map { Format.significant($0.tokensPerSecond) } ?? Format.none,
        gain(then.prefill?.tokensPerSecond, now.prefill?.tokensPerSecond),
      ])
    }
    let unit = workload.sequences == 1 ? "one stream" : "\(workload.sequences) streams"
    return [
      .table(table),
      .text("Each with a new plan, for \(unit); most saved time first." + MessagesNote.whatIf(plan.layout)),
    ]
  }

  private var comparison: [PageBlock] {
    let many = workload.sequences
    var table = TextTable([
      .init("In place of it", .left), .init("Decode of one stream, tokens/s PREDICTED"),
      .init("of \(many)"), .init("Prompt"),
    ])
    func cell(_ value: Double?) -> String { value.map { Format.significant($0) } ?? Format.none }
    let one = plan.prediction(sequences: 1)
    table.append([
      "this plan", cell(one.decode.tokensPerSecond), cell(plan.prediction.decode.tokensPerSecond),
      cell(one.prefill?.tokensPerSecond),
    ])
    for other in comparisons { table.append([other.name, cell(other.decode), cell(other.batch), cell(other.prefill)]) }
    func verdict(_ streams: String, _ isFaster: (Comparison) -> Bool) -> String {
      let faster = comparisons.filter(isFaster).map(\.name)
      return "Faster for \(streams): " + (faster.isEmpty ? "none of these" : faster.joined(separator: "; ")) + "."
    }
    var verdicts = [verdict("one stream") { ($0.decode ?? 0) > one.decode.tokensPerSecond }]
    if many > 1 {
      let own = plan.prediction.decode.tokensPerSecond
      verdicts.append(verdict("\(many) streams in all") { ($0.batch ?? 0) > own })
    }
    return [
      .heading("For comparison"), .table(table),
      .text(
        verdicts.joined(separator: " ")
          + " Layers in a row are computed in their favour: cut anywhere, every node at Flotilla's own speed, always at "
          + "work where there are streams enough. A stream takes each node's part of what that node would take alone, and a "
          + "row of \(Format.exact(Int(plan.costs.rowBytes))) bytes from each to the next. \(servers)"),
    ]
  }

  /// What the machines to compare with are taken to have.
  private var servers: String {
    let server = ReferenceServer.cluster.nodes[0]
    let best = [server.readBytesPerSecond, server.multiplyAddsInt8PerSecond, server.multiplyAddsF32PerSecond]
      .map { $0.map(\.best).max() ?? 0 }
    return "One node is the fastest of these, one rank with all its cores. The server is made up, not measured: it "
      + "reads \(PhaseSum.bytes(best[0])) and does \(PhaseSum.count(best[1])) int8 and \(PhaseSum.count(best[2])) f32 "
      + "multiply-adds a second, of which Flotilla reaches the same parts as of peaks elsewhere (below)."
  }

  private var paste: [PageBlock] { commands.isEmpty ? [] : [.heading("To run it"), .code(commands)] }

  private var small: [PageBlock] {
    let assumed = Assumptions(cluster)
    let efficiency = assumed.efficiency
    let products = efficiency.blockProducts.map { Format.significant($0) }.joined(separator: ", ")
    let wide = assumed.wideProducts.map {
      " (\(Format.significant($0)) of that with AVX2 and codes of 6 or 8 bits)"
    }
    let peaks =
      "Products are predicted from peaks, of which are reached: \(products) of the int8 peak with 1, 2, 3, 4 or more rows"
      + "\(wide ?? ""); \(Format.significant(efficiency.floatProducts)) of the f32 peak. Held against runs, predictions "
      + "from peaks alone were off by 26 % in the median, by half in q8_0 and bf16 (Documentation/Planning.md). "
    let constants =
      "\(Format.significant(efficiency.attention)) of the f32 peak in attention; "
      + "\(Format.seconds(efficiency.secondsPerJob)) to start a product; "
    let loss = Format.significant(assumed.overlapLoss)
    let overlap =
      "of the shorter one of reading and computing, what does not overlap: \(loss) in attention over the cache, and in "
      + "products, from their second row on, "
      + (assumed.usesConstants ? "\(loss) where a node's were not calibrated; " : "as calibrated; ")
    let elements = efficiency.elementwise.map {
      "\(Format.significant($0.secondsPerNumber * 1e9)) to \($0.step.rawValue)"
    }
    let between = "\(elements.joined(separator: ", ")), ns for a number on one thread; "
    return [
      .text(
        (assumed.usesPeaks ? peaks : "Products as fast as calibrated, format by format. ")
          + "Of each calibrated speed the best counts, not the median. Assumed: \(Format.significant(efficiency.memory)) of "
          + "the memory bandwidth in attention's cache and in sums; \(overlap)\(assumed.usesConstants ? constants : "")\(assumed.assumesElements ? between : "")"
          + "\(Format.seconds(efficiency.secondsPerMessage)) to handle a message, "
          + "\(Format.significant(efficiency.secondsPerScore * 1e9)) ns for a score. Sources: "
          + "Sources/Planning/Cost/Efficiency.swift." + MessagesNote.text(plan.layout, workload))
    ]
  }
}
