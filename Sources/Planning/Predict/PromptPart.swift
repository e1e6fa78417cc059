import ExpertParallel

/// What of its time something spends on what, while a prompt is read: ``PrefillPrediction/resources`` as sums.
public struct PromptPart: Sendable {
  public let resource: PrefillPrediction.Resource.Kind
  /// In words.
  public let name: String
  /// Of the whole prompt.
  public fileprivate(set) var phase: Phase

  /// Of a placement, resource by resource; the parts of one add up to its seconds.
  public static func all(
    _ costs: ModelCosts, _ placement: Placement, _ layout: RankLayout, _ workload: Workload, _ sample: RoutingSample,
    _ efficiency: Efficiency = Efficiency()
  ) -> [PromptPart] {
    all(RunModel(costs, placement, layout, sample, efficiency), workload)
  }

  private static func all(_ model: RunModel, _ workload: Workload) -> [PromptPart] {
    var parts = PromptParts(model, workload)
    for first in stride(from: 0, to: workload.prompt, by: workload.prefillChunk) {
      parts.addChunk(first..<min(first + workload.prefillChunk, workload.prompt))
    }
    parts.add(.coordinator, model.headPhase(rows: 1))
    let order = PrefillPrediction.Resource.Kind.allCases
    return order.flatMap { kind in parts.parts.filter { $0.resource == kind && $0.phase.seconds > 0 } }
  }
}

extension Plan {
  /// What a prompt's time goes to; none without a prompt.
  public var promptParts: [PromptPart] {
    PromptPart.all(costs, placement, layout, workload, sample, efficiency)
  }
}

extension Phase {
  /// Of bytes through a port.
  fileprivate init(_ kind: Kind, bytes: Double, seconds: Double) {
    self.init(kind)
    (self.seconds, wireBytes, wireSeconds) = (seconds, bytes, seconds)
  }

  fileprivate init(_ carried: CarriedMessages) {
    self.init(.combine)
    seconds = carried.seconds
    (sentBytes, sendingSeconds) = (carried.sentBytes, carried.sendingSeconds)
    (receivedBytes, receivingSeconds) = (carried.receivedBytes, carried.receivingSeconds)
  }
}

/// What several ranks of a node do between them, on all it has.
private struct NodeParts {
  var experts = Phase(.experts)
  var attention = Phase(.attention)
  var shared = Phase(.shared)
  var gate = Phase(.gate)
  var sums = Phase(.combine)
  var messages = Phase(.combine)

  /// By node that has several ranks.
  static func all(_ layout: RankLayout) -> [Int: NodeParts] {
    Dictionary(uniqueKeysWithValues: layout.sharedNodes.map { ($0, NodeParts()) })
  }

  var named: [(String, Phase)] {
    [
      ("experts of its ranks", experts), (attention.kind.rawValue, attention), (shared.kind.rawValue, shared),
      (gate.kind.rawValue, gate), ("rows that come back", sums), ("messages", messages),
    ]
  }

  var seconds: Double { named.reduce(0) { $0 + $1.1.seconds } }
}

/// Adds up a prompt's chunks.
private struct PromptParts {
  let model: RunModel
  let workload: Workload
  var parts: [PromptPart] = []

  init(_ model: RunModel, _ workload: Workload) {
    (self.model, self.workload) = (model, workload)
  }

  mutating func add(
    _ resource: PrefillPrediction.Resource.Kind, _ phase: Phase, times: Double = 1, as name: String? = nil
  ) {
    let name = name ?? phase.kind.rawValue
    let known = parts.firstIndex { $0.resource == resource && $0.name == name }
    if known == nil { parts.append(PromptPart(resource: resource, name: name, phase: Phase(phase.kind))) }
    parts[known ?? parts.count - 1].phase.add(phase, times: times)
  }

  mutating func addChunk(_ chunk: Range<Int>) {
    let costs = model.costs
    let cut = PromptCut(chunk, workload, model.placement)
    let (count, layers) = (Double(cut.parts), Double(costs.expertLayers))
    let node = model.layout.nodes[model.placement.coordinator]
    let (speed, nodeSpeed) = (model.coordinatorSpeed, model.layout.nodeSpeeds[node])
    let attention = model.promptAttention(cut, speed, besideExperts: cut.overlaps)
    let firstAttention = model.promptAttention(cut, speed, besideExperts: false)
    add(.coordinator, attention, times: layers)
    add(.coordinator, firstAttention, times: Double(costs.denseLayers))
    add(.coordinator, model.densePhase(rows: cut.rows), times: count)
    let shared = Phase(.shared, costs.shared, rows: cut.rows, on: speed, model.efficiency)
    add(.coordinator, shared, times: count * layers)
    add(.way, attention, times: layers / count)
    var nodes = NodeParts.all(model.layout)
    var batches: [HostLoads] = []
    model.forEachBatch(of: cut.rows, most: 4) { batches.append($0) }
    for loads in batches { addExchange(loads, cut, times: count * layers / Double(batches.count), &nodes) }
    let sharedOfNode = Phase(.shared, costs.shared, rows: cut.rows, on: nodeSpeed, model.efficiency)
    nodes[node]?.shared.add(sharedOfNode, times: count * layers)
    nodes[node]?.attention.add(model.promptAttention(cut, nodeSpeed, besideExperts: nil), times: layers)
    // The first one of equal ones.
    guard let busiest = nodes.max(by: { ($0.value.seconds, $1.key) < ($1.value.seconds, $0.key) }) else { return }
    for (name, phase) in busiest.value.named { add(.node, phase, as: name) }
  }

  /// A layer's experts, of one batch of the sample.
  private mutating func addExchange(
    _ loads: HostLoads, _ cut: PromptCut, times: Double, _ nodes: inout [Int: NodeParts]
  ) {
    let (placement, exchange) = (model.placement, model.exchange)
    let time = exchange.time(loads, tokens: cut.rows, includesShared: false)
    func busySeconds(_ rank: Int) -> Double {
      exchange.busySeconds(rank, exchange.expertTime(loads, rank: rank).time, time)
    }
    func experts(_ rank: Int) -> Phase {
      let own = exchange.expertTime(loads, rank: rank)
      return Phase(.experts, own.work, rows: 1, own.time)
    }
    func messages(_ rank: Int) -> Phase { Phase(time.carried.isEmpty ? CarriedMessages() : time.carried[rank]) }
    let router: PrefillPrediction.Resource.Kind = placement.router == placement.coordinator ? .coordinator : .router
    var gate = time.gate
    gate.handlingSeconds = time.routerBusy - gate.seconds
    (gate.latencySeconds, gate.seconds) = (gate.handlingSeconds, time.routerBusy)
    add(router, gate, times: times)
    if router == .router { add(router, messages(placement.router), times: times, as: "messages") }
    add(.coordinator, experts(placement.coordinator), times: times, as: "its own experts")
    add(.coordinator, time.addingPhase, times: times, as: "rows that come back")
    add(.coordinator, messages(placement.coordinator), times: times, as: "messages")
    let hosts = loads.reached.filter { $0 != placement.coordinator }.map { (rank: $0, seconds: busySeconds($0)) }
    if let busiest = hosts.max(by: { $0.seconds < $1.seconds })?.rank {
      add(.host, experts(busiest), times: times, as: "its experts")
      add(.host, messages(busiest), times: times, as: "messages")
      if busiest == placement.router { add(.host, gate, times: times) }
    }
    let ports: [(PrefillPrediction.Resource.Kind, Phase)] = [
      (.portIntoCoordinator, Phase(.combine, bytes: time.combine.wireBytes, seconds: time.portIntoCoordinator)),
      (.portOutOfRouter, Phase(.dispatch, bytes: time.bytesOutOfRouter, seconds: time.portOutOfRouter)),
      (.portOutOfCoordinator, Phase(.toRouter, bytes: time.toRouter.wireBytes, seconds: time.portOutOfCoordinator)),
    ]
    for (port, phase) in ports { add(port, phase, times: times, as: "rows") }
    let alone = cut.parts > 1 ? time : exchange.time(loads, tokens: cut.rows, includesShared: true)
    for phase in alone.phases { add(.way, phase, times: times / Double(cut.parts)) }
    for rank in loads.reached {
      let node = model.layout.nodes[rank]
      let share = exchange.expertTime(loads, rank: rank, on: model.layout.nodeSpeeds[node])
      nodes[node]?.experts.add(Phase(.experts, share.work, rows: 1, share.time), times: times)
    }
    for rank in 0..<placement.ranks {
      let (node, part) = (model.layout.nodes[rank], model.layout.partOfNode(rank))
      nodes[node]?.messages.add(messages(rank), times: times, inPart: part)
      if rank == placement.router { nodes[node]?.gate.add(gate, times: times, inPart: part) }
      if rank == placement.coordinator { nodes[node]?.sums.add(time.addingPhase, times: times, inPart: part) }
    }
  }
}
