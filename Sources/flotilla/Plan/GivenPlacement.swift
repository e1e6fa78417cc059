import Checkpoint
import ExpertParallel
import Foundation
import Inference
import Planning
import Reporting

/// `plan` for a placement that somebody has, in place of the best one: what it would do.
struct GivenPlacement {
  private let placement: Placement
  private let layout: RankLayout
  private let prediction: Prediction
  private let load: PlacementLoad
  private let format: String
  private let name: String
  private let routing: RoutingSource
  private let denseSlices: DenseSlicing?

  /// - Parameters:
  ///   - threads: of each rank; nil: the cores of its node, divided.
  ///   - denseSlices: who divides the dense part; nil: as the placement says, else as a run does by itself.
  init(
    _ placement: Placement, _ costs: ModelCosts, on cluster: ClusterDescription, threads: Int?, workload: Workload,
    sample: RoutingSample, routing: RoutingSource, name: String, denseSlices: DenseSlicing?
  ) {
    let layout = RankLayout(cluster: cluster, ranks: placement.ranks, threads: threads)
    let placement = placement.divided(denseSlices, costs.sizes, layout)
    self.layout = layout
    prediction = Prediction(of: costs, placement: placement, layout: layout, workload: workload, sample: sample)
    load = PlacementLoad(placement, sample)
    (self.placement, self.name, format) = (placement, name, costs.formats.description)
    (self.routing, self.denseSlices) = (routing, denseSlices)
  }

  var page: PlacementPage {
    PlacementPage(
      prediction, placement, layout, load: load, name: name, format: format, routing: routing,
      denseSlices: denseSlices)
  }

  /// As JSON. Speeds and times are predicted.
  var facts: Facts {
    Facts(
      model: name, format: format, experts: routing.description, workload: prediction.workload, threads: layout.threads,
      slices: ExpertRanges.text(placement.slices), decidesSlices: placement.decidesSlices,
      omitsMessagesOf: layout.namesWithoutMessageCost,
      load: .init(expertsOnBusiestHost: load.busiest, hostsReached: load.hosts, rowsBack: load.sums),
      predicted: PlanFacts.Speed(prediction), decode: prediction.decode.phases.map(PlanFacts.Part.init))
  }

  struct Facts: Encodable {
    let isPredicted = true
    let model: String
    let format: String
    /// Where the choices of experts come from, in words.
    let experts: String
    let workload: Workload
    /// Of each rank.
    let threads: [Int]
    /// Ranks that divide the dense part of generated tokens with the coordinator.
    let slices: String
    /// Whether a placement, the planner or an option said who; else nobody divides because a run would not by itself.
    let decidesSlices: Bool
    /// Nodes whose processors' work for messages counts as nothing, since it was not calibrated.
    let omitsMessagesOf: [String]
    let load: PlanFacts.Load
    let predicted: PlanFacts.Speed
    /// Of a decode step of all sequences.
    let decode: [PlanFacts.Part]
  }
}
