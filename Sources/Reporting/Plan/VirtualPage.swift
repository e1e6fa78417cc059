import ExpertParallel
import Inference
import Planning

/// A run on modelled nodes, for people.
public struct VirtualPage {
  private let run: VirtualRun
  private let layout: RankLayout
  private let name: String
  private let format: String
  private let source: String
  private let denseSlices: DenseSlicing?
  private let looksAtMemory: Bool

  /// - Parameters:
  ///   - source: where the choices of experts come from, in words.
  ///   - denseSlices: who was asked to divide the dense part; nil: nobody was.
  ///   - looksAtMemory: whether the placement is known to fit.
  public init(
    _ run: VirtualRun, _ layout: RankLayout, name: String, format: String, source: String, denseSlices: DenseSlicing?,
    looksAtMemory: Bool
  ) {
    self.looksAtMemory = looksAtMemory
    (self.run, self.layout, self.name, self.format, self.source) = (run, layout, name, format, source)
    self.denseSlices = denseSlices
  }

  public var text: String { PageBlock.text(blocks) }
  public var markdown: String { PageBlock.markdown(blocks, level: 1) }

  private var blocks: [PageBlock] {
    let workload = run.workload
    let nodes = Set(layout.nodes).count
    let division = DivisionText(placement: run.placement, layout: layout, sequences: workload.sequences)
      .sentence(asked: denseSlices)
    let prompt = run.prefill.map {
      "Prompt PREDICTED: \(Format.rate($0.tokensPerSecond)).\(MessagesNote.text(layout, workload)) "
    }
    return [
      .title("\(printable(name, limit: 200)), weights in \(format), on modelled nodes: PREDICTED"),
      .text(
        "\(run.placement.ranks) ranks on \(nodes) nodes; \(workload.sequences) x (\(workload.prompt) + "
          + "\(workload.generated)) tokens. A virtual clock by the cluster's description; nothing was run. Experts: \(source)."
          + (looksAtMemory ? "" : " Whether it fits into memory is not looked at.")
          + (division.map { " " + $0 } ?? "")),
    ] + (run.steps.isEmpty ? [.text(prompt ?? "")] : decode(prompt ?? ""))
  }

  private func decode(_ prompt: String) -> [PageBlock] {
    let (median, late) = (run.stepSeconds(share: 0.5), run.stepSeconds(share: 0.99))
    return [
      .text(
        "Decode PREDICTED: \(Format.rate(run.tokensPerSecond)); a step takes \(Format.seconds(median)) in the median, "
          + "\(Format.seconds(late)) at the 99th of a hundred. \(prompt)Of a token's experts of a layer "
          + "\(Format.significant(run.expertsOnBusiestRank)) are on the busiest rank."),
      .heading("Where the time of a step goes, in the mean"), .table(parts),
      .heading("Busiest ranks"), .table(ranks),
    ]
  }

  private var parts: TextTable {
    var table = TextTable([.init("Part", .left), .init("ms PREDICTED"), .init("Share")])
    let steps = Double(max(1, run.steps.count))
    let whole = run.steps.reduce(0, +)
    for phase in run.phases where phase.seconds > 0 {
      table.append([
        phase.kind.rawValue, Format.significant(phase.seconds / steps * 1e3),
        Format.share(whole > 0 ? phase.seconds / whole : nil),
      ])
    }
    table.append(["all", Format.significant(whole / steps * 1e3), "100 %"])
    return table
  }

  /// Those that layers waited for most often.
  private var ranks: TextTable {
    var table = TextTable([
      .init("Rank"), .init("Node", .left), .init("Experts"), .init("Had most of a layer's"),
      .init("In experts PREDICTED"),
    ])
    let layers = run.timesBusiest.reduce(0, +)
    let whole = run.steps.reduce(0, +)
    let order = run.timesBusiest.indices.sorted { (run.timesBusiest[$1], $0) < (run.timesBusiest[$0], $1) }
    for rank in order.prefix(10) {
      table.append([
        "\(rank)", printable(layout.cluster.nodes[layout.nodes[rank]].name, limit: 64),
        "\(run.placement.experts(of: rank).count)",
        Format.share(layers > 0 ? Double(run.timesBusiest[rank]) / Double(layers) : nil),
        Format.share(whole > 0 ? run.expertSeconds[rank] / whole : nil),
      ])
    }
    return table
  }
}
