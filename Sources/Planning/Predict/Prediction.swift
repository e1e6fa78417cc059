import ExpertParallel
import Inference

/// How fast a model runs with a placement on a layout of ranks: sums of bytes over bandwidths, multiply-adds over peaks,
/// and latencies. Never measured; whoever shows it says so.
///
/// Faster memory, arithmetic or links never make it slower: it only adds, divides and takes the larger.
public struct Prediction: Sendable {
  public let workload: Workload
  public let decode: DecodePrediction
  /// Nil without a prompt.
  public let prefill: PrefillPrediction?

  /// - Parameters:
  ///   - layout: as many ranks as the placement has.
  ///   - sample: what tokens visit; 512 tokens or more.
  public init(
    of costs: ModelCosts, placement: Placement, layout: RankLayout, workload: Workload, sample: RoutingSample,
    efficiency: Efficiency = Efficiency()
  ) {
    precondition(layout.ranks == placement.ranks && costs.configuration.routedExperts == placement.experts)
    self.init(RunModel(costs, placement, layout, sample, efficiency), workload)
  }

  init(_ model: RunModel, _ workload: Workload) {
    self.init(
      workload, DecodePrediction(model, workload), workload.prompt > 0 ? PrefillPrediction(model, workload) : nil)
  }

  /// The same with a placement that differs in nothing but the ranks that divide the dense part.
  ///
  /// - Parameters:
  ///   - known: what the other prediction was made from.
  ///   - layout: of both placements, before it is known what caches hold.
  init(_ other: Prediction, of known: RunModel, dividing placement: Placement, layout: RankLayout) {
    let model = RunModel(known.costs, placement, layout, known.sample, known.efficiency)
    // Copies may be what a cache no longer holds: then nothing is as fast as it was.
    guard model.layout.cachesAsMany(as: known.layout) else {
      self.init(model, other.workload)
      return
    }
    self.init(
      other.workload, DecodePrediction(other.decode, model, other.workload),
      other.prefill.map { PrefillPrediction(model, other.workload, like: $0) })
  }

  private init(_ workload: Workload, _ decode: DecodePrediction, _ prefill: PrefillPrediction?) {
    (self.workload, self.decode, self.prefill) = (workload, decode, prefill)
  }

  /// Of all prompts and all generated tokens.
  public var seconds: Double {
    Double(workload.sequences) * (prefill?.seconds ?? 0) + Double(workload.generated) * decode.secondsPerStep
  }
}

/// What both predictions are made from.
struct RunModel {
  let costs: ModelCosts
  let placement: Placement
  let layout: RankLayout
  let sample: RoutingSample
  let efficiency: Efficiency
  let exchange: ExchangeModel

  init(
    _ costs: ModelCosts, _ placement: Placement, _ layout: RankLayout, _ sample: RoutingSample, _ efficiency: Efficiency
  ) {
    self.costs = costs
    self.placement = placement
    self.layout = layout.cachingWeights(Self.weights(costs.sizes, placement))
    self.sample = sample
    self.efficiency = efficiency
    exchange = ExchangeModel(costs: costs, placement: placement, layout: self.layout, efficiency: efficiency)
  }

  /// `[ranks]`: bytes.
  private static func weights(_ sizes: WeightSizes, _ placement: Placement) -> [Int] {
    var weights = [Int](repeating: 0, count: placement.ranks)
    weights[placement.coordinator] += sizes.dense
    weights[placement.router] += sizes.gates
    for (expert, rank) in placement.owners.enumerated() { weights[rank] += sizes.experts[expert] }
    for rank in placement.slices { weights[rank] += sizes.shareBytes(ranks: placement.slices.count + 1) }
    return weights
  }

  var coordinatorSpeed: RankSpeed { layout.speeds[placement.coordinator] }

  /// Batches of so many tokens of the sample, in turn; at most `most` of them. Small samples are used again.
  func forEachBatch(of tokens: Int, most: Int, _ body: (HostLoads) -> Void) {
    var loads = HostLoads(ranks: placement.ranks, experts: placement.experts)
    for batch in 0..<max(1, min(most, sample.tokens / max(1, tokens))) {
      loads.fill(sample, batch * tokens..<(batch + 1) * tokens, placement)
      body(loads)
    }
  }
}
