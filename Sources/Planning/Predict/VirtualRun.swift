import ExpertParallel

/// A run on modelled nodes and a modelled network, step by step on a virtual clock: nothing is computed and nothing
/// sleeps. Where ``Prediction`` takes means over a sample, here each step has tokens of its own, which choose experts of
/// their own in each layer, and waits for the rank that is busiest with them.
public struct VirtualRun: Sendable {
  public let workload: Workload
  public let placement: Placement
  /// Seconds of each step of decode, in order.
  public let steps: [Double]
  /// All steps, part by part.
  public let phases: [Phase]
  /// Nil without a prompt.
  public let prefill: PrefillPrediction?
  /// `[ranks]`: seconds in experts, and layers of steps in which it had most of them.
  public let expertSeconds: [Double]
  public let timesBusiest: [Int]
  /// Of a token's experts in a layer, those on the rank that has most: the mean.
  public let expertsOnBusiestRank: Double

  /// - Parameters:
  ///   - layout: as many ranks as the placement has.
  ///   - visits: `[steps, layers, sequences]`; used again where there are fewer.
  public init(
    _ costs: ModelCosts, placement: Placement, layout: RankLayout, workload: Workload, visits: RoutingSample,
    efficiency: Efficiency = Efficiency()
  ) {
    precondition(layout.ranks == placement.ranks && costs.configuration.routedExperts == placement.experts)
    let model = RunModel(costs, placement, layout, visits, efficiency)
    var clock = VirtualClock(model, workload)
    for step in 0..<workload.generated { clock.run(step) }
    (self.workload, self.placement) = (workload, placement)
    (steps, phases) = (clock.steps, Phase.Kind.allCases.compactMap { clock.phases[$0] })
    (expertSeconds, timesBusiest) = (clock.expertSeconds, clock.timesBusiest)
    expertsOnBusiestRank =
      Double(clock.pairsOnBusiest) / Double(max(1, workload.generated * costs.expertLayers * workload.sequences))
    prefill = workload.prompt > 0 ? PrefillPrediction(model, workload) : nil
  }

  /// Of all sequences.
  public var tokensPerSecond: Double {
    Double(workload.sequences * steps.count) / max(steps.reduce(0, +), .leastNonzeroMagnitude)
  }

  /// - Parameter share: 0.5: the median.
  public func stepSeconds(share: Double) -> Double {
    let sorted = steps.sorted()
    guard let last = sorted.last else { return 0 }
    return Int(share * Double(sorted.count)) < sorted.count ? sorted[Int(share * Double(sorted.count))] : last
  }
}

private struct VirtualClock {
  let model: RunModel
  let workload: Workload
  var steps: [Double] = []
  var phases = Dictionary(uniqueKeysWithValues: Phase.Kind.allCases.map { ($0, Phase($0)) })
  var expertSeconds: [Double]
  var timesBusiest: [Int]
  var pairsOnBusiest = 0
  private var loads: HostLoads
  private let dense: Phase
  private let head: Phase

  init(_ model: RunModel, _ workload: Workload) {
    (self.model, self.workload) = (model, workload)
    expertSeconds = Array(repeating: 0, count: model.placement.ranks)
    timesBusiest = Array(repeating: 0, count: model.placement.ranks)
    loads = HostLoads(ranks: model.placement.ranks, experts: model.placement.experts)
    dense = model.densePhase(rows: workload.sequences)
    head = model.headPhase(rows: workload.sequences)
  }

  mutating func run(_ step: Int) {
    let rows = workload.sequences
    let attention = DecodePrediction.attention(model, rows: rows, depth: workload.prompt + step)
    phases[.attention]?.add(attention, times: 1)
    phases[.dense]?.add(dense, times: 1)
    phases[.head]?.add(head, times: 1)
    var now = attention.seconds + dense.seconds + head.seconds
    for layer in 0..<model.costs.expertLayers { now += exchange(step * model.costs.expertLayers + layer) }
    steps.append(now)
  }

  /// One layer's experts; its visits stand at a place of their own.
  private mutating func exchange(_ place: Int) -> Double {
    let size = workload.sequences
    let first = place % max(1, model.sample.tokens / size) * size
    loads.fill(model.sample, first..<first + size, model.placement)
    let time = model.exchange.time(loads, tokens: workload.sequences, includesShared: true)
    for phase in time.phases { phases[phase.kind]?.add(phase, times: 1) }
    for rank in loads.pairs.indices where loads.pairs[rank] > 0 {
      expertSeconds[rank] += model.exchange.expertTime(loads, rank: rank).time.seconds
    }
    let ranks = loads.pairs.count
    // Of equal ones each comes in turn.
    func turn(_ rank: Int) -> Int { (rank + place * 31) % ranks }
    if let busiest = loads.pairs.indices.max(by: { (loads.pairs[$0], turn($0)) < (loads.pairs[$1], turn($1)) }) {
      timesBusiest[busiest] += 1
      pairsOnBusiest += loads.pairs[busiest]
    }
    return time.total
  }
}
