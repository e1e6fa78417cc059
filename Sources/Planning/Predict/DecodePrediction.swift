import DeepSeek

/// A step that gives every sequence one token, at the mean depth of the run.
public struct DecodePrediction: Sendable {
  /// In the order of ``Phase/Kind``; their seconds add up to ``secondsPerStep``.
  public let phases: [Phase]
  public let secondsPerStep: Double
  public let tokensPerSecond: Double
  /// Positions in each sequence's cache.
  public let depth: Int
  /// Of all routed experts of a step: those on the host that the layer waits for, a layer's mean.
  public let expertsOnBusiestHost: Double

  init(_ model: RunModel, _ workload: Workload) {
    let depth = workload.prompt + workload.generated / 2
    var phases = Dictionary(uniqueKeysWithValues: Phase.Kind.allCases.map { ($0, Phase($0)) })
    phases[.attention] = Self.attention(model, rows: workload.sequences, depth: depth)
    phases[.dense] = model.densePhase(rows: workload.sequences)
    phases[.head] = model.headPhase(rows: workload.sequences)
    let layers = Double(model.costs.expertLayers)
    var batches: [ExchangeTime] = []
    model.forEachBatch(of: workload.sequences, most: 512) {
      batches.append(model.exchange.time($0, tokens: workload.sequences, includesShared: true))
    }
    for batch in batches {
      for phase in batch.phases { phases[phase.kind]?.add(phase, times: layers / Double(batches.count)) }
    }
    let bytes = phases[.experts]?.memoryBytes ?? 0
    self.init(
      Phase.Kind.allCases.compactMap { phases[$0] }, workload, depth: depth,
      expertsOnBusiestHost: bytes / max(layers * model.costs.expert.bytes, 1))
  }

  /// The same with other ranks that divide the dense part: experts and messages about them stay what they are.
  init(_ other: DecodePrediction, _ model: RunModel, _ workload: Workload) {
    let phases = other.phases.map { phase in
      switch phase.kind {
      case .attention: Self.attention(model, rows: workload.sequences, depth: other.depth)
      case .dense: model.densePhase(rows: workload.sequences)
      case .head: model.headPhase(rows: workload.sequences)
      case .toRouter, .gate, .dispatch, .experts, .combine, .shared: phase
      }
    }
    self.init(phases, workload, depth: other.depth, expertsOnBusiestHost: other.expertsOnBusiestHost)
  }

  private init(_ phases: [Phase], _ workload: Workload, depth: Int, expertsOnBusiestHost: Double) {
    (self.phases, self.depth, self.expertsOnBusiestHost) = (phases, depth, expertsOnBusiestHost)
    secondsPerStep = phases.reduce(0) { $0 + $1.seconds }
    tokensPerSecond = Double(workload.sequences) / secondsPerStep
  }

  /// Of all layers.
  static func attention(_ model: RunModel, rows: Int, depth: Int) -> Phase {
    let (costs, speed, efficiency) = (model.costs, model.coordinatorSpeed, model.efficiency)
    // Not cut into parts, so no experts run meanwhile.
    let isDivided = model.divides(rows: rows, besideExperts: false)
    let work = (isDivided ? costs.attention - costs.divisibleAttention.work : costs.attention) + costs.absorbed
    let positions = Double(rows * depth)
    let cache = Work(otherBytes: positions * costs.cacheBytesPerLayer)
    var phase = Phase(.attention)
    let layers = Double(costs.configuration.layers)
    phase.add(work, rows: rows, speed.duration(work, rows: rows, efficiency), times: layers)
    // One after the other: all weights of a layer's queries before its cache, and that before its output.
    phase.add(cache, rows: rows, attending(model, rows: rows, depth: depth, cache), times: layers)
    phase.multiplyAdds += positions * costs.absorbedMultiplyAdds * layers
    phase.floatMultiplyAdds += positions * costs.absorbedMultiplyAdds * layers
    if isDivided { phase.add(model.divided(.attention, costs.divisibleAttention, rows: rows), times: layers) }
    return phase
  }

  /// To read positions of the cache, and to compute with them: in tiles of some heads and positions, each one thread's.
  private static func attending(_ model: RunModel, rows: Int, depth: Int, _ cache: Work) -> RooflineTime {
    let (costs, speed) = (model.costs, model.coordinatorSpeed)
    let (heads, positions) = (costs.configuration.heads, Double(rows * depth))
    func seconds(_ cost: AttentionCost) -> Double {
      cost.seconds(pairs: positions * Double(heads), multiplyAdds: positions * costs.absorbedMultiplyAdds)
    }
    let spans = max(1, Double(depth) / Double(AttentionScratch.span))
    let tiles = Double(rows) * spans * max(1, Double(heads / headsOfTile))
    var time = speed.duration(cache, rows: 1, model.efficiency)
    time.computing = max(seconds(speed.absorbed), seconds(speed.absorbedOfOneThread) / tiles)
    time.floating = time.computing
    // The next positions come from memory while these are multiplied, as well as weights do.
    time.lost = Efficiency.overlapLoss * min(time.reading, time.computing)
    return time
  }

  /// Of the absorbed form, as kernels for wide vectors take them.
  private static let headsOfTile = 8

  /// The step's seconds by what they are spent on.
  public var limits: [(limit: Limit, seconds: Double)] {
    var seconds: [Limit: Double] = [:]
    for phase in phases {
      switch phase.kind {
      case .attention, .dense, .shared, .head:
        // Messages only where ranks divide it.
        let network = phase.wireSeconds + phase.sharedMemorySeconds
        seconds[.latency, default: 0] += phase.latencySeconds
        seconds[.network, default: 0] += network
        seconds[.coordinator, default: 0] += phase.seconds - phase.latencySeconds - network
      case .gate: seconds[.router, default: 0] += phase.seconds
      case .experts: seconds[.hosts, default: 0] += phase.seconds
      case .toRouter, .dispatch, .combine:
        seconds[.latency, default: 0] += min(phase.seconds, phase.latencySeconds)
        seconds[.network, default: 0] += max(0, phase.seconds - phase.latencySeconds)
      }
    }
    return Limit.allCases.map { ($0, seconds[$0, default: 0]) }
  }

  public var limit: Limit { limits.max { $0.seconds < $1.seconds }!.limit }
}
