import ExpertParallel
import Inference
import Planning

/// What a given placement is predicted to do, for people.
public struct PlacementPage {
  private let prediction: Prediction
  private let placement: Placement
  private let layout: RankLayout
  private let load: PlacementLoad
  private let name: String
  private let format: String
  private let routing: RoutingSource
  private let denseSlices: DenseSlicing?

  /// - Parameters:
  ///   - name: of the model.
  ///   - format: of its weights.
  ///   - routing: what `load` was counted over.
  ///   - denseSlices: who was asked to divide the dense part; nil: nobody was.
  public init(
    _ prediction: Prediction, _ placement: Placement, _ layout: RankLayout, load: PlacementLoad, name: String,
    format: String, routing: RoutingSource, denseSlices: DenseSlicing? = nil
  ) {
    (self.prediction, self.placement, self.layout, self.load) = (prediction, placement, layout, load)
    (self.name, self.format, self.routing, self.denseSlices) = (name, format, routing, denseSlices)
  }

  /// For a terminal.
  public var text: String { PageBlock.text(blocks) }
  /// As GitHub renders it.
  public var markdown: String { PageBlock.markdown(blocks, level: 1) }

  private var blocks: [PageBlock] {
    let workload = prediction.workload
    let decode = prediction.decode
    let prompt = prediction.prefill.map {
      Format.rate($0.tokensPerSecond) + ", which wait most for " + $0.limit.rawValue
    }
    let division = DivisionText(placement: placement, layout: layout, sequences: workload.sequences)
      .sentence(asked: denseSlices)
    return [
      .title("\(printable(name, limit: 200)), weights in \(format), on a given placement: PREDICTED"),
      .text(
        "Prompt of \(workload.prompt) tokens, \(workload.generated) generated, \(workload.sequences) at once. Computed from "
          + "the cluster's description; nothing was run. Whether it fits into memory is not looked at."
          + (division.map { " " + $0 } ?? "")),
      .table(ranks),
      .text(
        "Decode PREDICTED: \(Format.rate(decode.tokensPerSecond)), which wait most for \(decode.limit.rawValue). "
          + "Prompt PREDICTED: \(prompt ?? Format.none)." + MessagesNote.text(layout, workload)),
      .text(
        "Of a token's experts of a layer \(Format.significant(load.busiest)) are on the busiest rank; it reaches "
          + "\(Format.significant(load.hosts)) ranks, and \(Format.significant(load.sums)) rows come back: \(routing)."),
      .heading("Where the time of a step of decode goes"), .table(PhaseSum.table(decode)),
    ]
  }

  private var ranks: TextTable {
    var table = TextTable([
      .init("Rank"), .init("Node", .left), .init("Threads"), .init("Roles", .left), .init("Experts"),
    ])
    for rank in 0..<placement.ranks {
      table.append([
        "\(rank)", printable(layout.cluster.nodes[layout.nodes[rank]].name, limit: 64), "\(layout.threads[rank])",
        placement.roles(of: rank).joined(separator: ", "), "\(placement.experts(of: rank).count)",
      ])
    }
    return table
  }
}
