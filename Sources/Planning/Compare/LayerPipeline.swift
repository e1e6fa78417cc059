import ExpertParallel
import Inference

/// The same nodes with layers in a row, each node some of them, as other programs run models on several machines. In its
/// favour: layers may be cut anywhere, all nodes always have work where there are sequences enough, and each computes as
/// fast as Flotilla would alone.
public struct LayerPipeline: Sendable {
  /// Nil where the weights do not fit.
  public let decodeTokensPerSecond: Double?
  /// With the workload's sequences.
  public let batchTokensPerSecond: Double?
  public let prefillTokensPerSecond: Double?

  public init(_ plan: Plan) {
    let (costs, cluster, workload) = (plan.costs, plan.cluster, plan.workload)
    let rooms = MemoryRooms(costs, cluster, workload)
    let weights = costs.sizes.experts.reduce(costs.sizes.dense + costs.sizes.gates, +)
    let capacities = cluster.nodes.indices.map(rooms.capacity)
    var known = KnownSpeed(plan.efficiency)
    let speeds = cluster.nodes.map { known.speed($0, threads: $0.cores).read }
    guard let shares = Self.shares(weights, capacities, speeds) else {
      (decodeTokensPerSecond, batchTokensPerSecond, prefillTokensPerSecond) = (nil, nil, nil)
      return
    }
    let stages = shares.indices.filter { shares[$0] > 0 }
    /// What nodes alone would take, each times its part.
    func times(_ workload: Workload) -> [(decode: Double, prefill: Double)] {
      var last: (node: ClusterDescription.Node, prediction: Prediction?)?
      return stages.map { stage in
        let node = cluster.nodes[stage]
        if last?.node.isAsFast(as: node) != true {
          let alone = PlanSearch(
            costs, on: cluster.alone(stage), workload: workload, sample: plan.sample, denseSlices: plan.denseSlices,
            efficiency: plan.efficiency)
          last = (node, try? alone.best().prediction)
        }
        guard let alone = last?.prediction else { return (.infinity, .infinity) }
        return (shares[stage] * alone.decode.secondsPerStep, shares[stage] * (alone.prefill?.seconds ?? 0))
      }
    }
    let hops = stages.count > 1 ? Self.hops(stages, cluster, costs.rowBytes) : 0
    let one = times(workload.with(sequences: 1))
    decodeTokensPerSecond = 1 / (one.reduce(0) { $0 + $1.decode } + hops)

    let groups = min(workload.sequences, stages.count)
    let each = (workload.sequences + groups - 1) / groups
    let many = each == 1 ? one : times(workload.with(sequences: each))
    let round = many.reduce(0) { $0 + $1.decode } + hops * Double(each)
    let slowest = (many.map(\.decode).max() ?? 0) * Double(groups)
    batchTokensPerSecond = Double(workload.sequences) / max(round, slowest)

    // Parts of 64 tokens or more, as many as there are stages where the prompt is that long.
    let parts = Double(max(1, min(stages.count, workload.prompt / 64)))
    var cut = workload.with(sequences: 1)
    cut.prefillChunk = max(1, Int((Double(workload.prompt) / parts).rounded(.up)))
    let longest = times(cut).map { $0.prefill / parts }.max() ?? 0
    let seconds = (parts + Double(stages.count) - 1) * longest + hops * Double(workload.prompt) / parts
    prefillTokensPerSecond = workload.prompt > 0 ? Double(workload.prompt) / seconds : nil
  }

  /// `[nodes]`: parts of the model in proportion to the speed of memory, none above what a node holds.
  private static func shares(_ weights: Int, _ capacities: [Int], _ speeds: [Double]) -> [Double]? {
    let steps = 4096
    let caps = capacities.map { Int(Double(max(0, $0)) / Double(max(weights, 1)) * Double(steps)) }
    let least = speeds.min() ?? 1
    let parts = ExpertShares.divide(steps, weights: speeds.map { $0 / least }, caps: caps)
    return parts?.map { Double($0) / Double(steps) }
  }

  /// A row from each stage to the next, and the token back.
  private static func hops(_ stages: [Int], _ cluster: ClusterDescription, _ rowBytes: Double) -> Double {
    zip(stages, Array(stages.dropFirst()) + [stages[0]]).reduce(0) {
      $0 + cluster.links.latencySeconds[$1.0][$1.1] + rowBytes / cluster.links.bytesPerSecond[$1.0][$1.1]
    }
  }
}
