/// Reading one prompt: chunks, each in parts that overlap, so that what is busiest decides.
public struct PrefillPrediction: Sendable {
  /// What takes part, and for how long it is busy with the whole prompt.
  public struct Resource: Sendable, Equatable {
    public enum Kind: String, Sendable, CaseIterable, Codable {
      /// Attention, shared experts, experts of its own.
      case coordinator
      case router = "router"
      case host = "busiest host"
      /// Where ranks share a node's cores and memory.
      case node = "busiest node"
      case portIntoCoordinator = "port into the coordinator"
      case portOutOfRouter = "port out of the router"
      case portOutOfCoordinator = "port out of the coordinator"
      /// One part's way through a layer: nothing can be faster.
      case way = "one part's way"

      var limit: Limit {
        switch self {
        case .coordinator: .coordinator
        case .router: .router
        case .host: .hosts
        case .portIntoCoordinator, .portOutOfRouter, .portOutOfCoordinator: .network
        case .node: .cores
        case .way: .order
        }
      }
    }

    public let kind: Kind
    public var seconds: Double
  }

  public let seconds: Double
  public let tokensPerSecond: Double
  /// In the order of ``Resource/Kind``.
  public let resources: [Resource]
  /// Seconds for which each was what the others waited for.
  public let bound: [Resource]
  /// Through the coordinator's port, both ways, a token.
  public let wireSecondsPerToken: Double
  /// Of what each is busy with: messages.
  private let carrying: [Resource.Kind: Double]
  /// By rows of a part.
  private let exchanges: [Int: PromptExchange]

  /// - Parameter other: of a placement that differs in nothing but the ranks that divide the dense part: experts and
  ///   messages about them stay what they are.
  init(_ model: RunModel, _ workload: Workload, like other: PrefillPrediction? = nil) {
    var sum = PromptSum(model, workload, exchanges: other?.exchanges ?? [:])
    for first in stride(from: 0, to: workload.prompt, by: workload.prefillChunk) {
      sum.addChunk(first..<min(first + workload.prefillChunk, workload.prompt))
    }
    let head = model.headPhase(rows: 1).seconds
    sum.busy[.coordinator, default: 0] += head
    sum.bound[.coordinator, default: 0] += head
    func list(_ values: [Resource.Kind: Double]) -> [Resource] {
      Resource.Kind.allCases.map { Resource(kind: $0, seconds: values[$0, default: 0]) }
    }
    resources = list(sum.busy)
    bound = list(sum.bound)
    (carrying, exchanges) = (sum.carrying, sum.exchanges)
    seconds = bound.reduce(0) { $0 + $1.seconds }
    tokensPerSecond = Double(workload.prompt) / seconds
    wireSecondsPerToken =
      (sum.busy[.portIntoCoordinator, default: 0] + sum.busy[.portOutOfCoordinator, default: 0])
      / Double(workload.prompt)
  }

  /// What the prompt waits for most: of a rank that has more to do with messages than with all else, these.
  public var limit: Limit {
    let most = bound.max { $0.seconds < $1.seconds }!.kind
    let busy = resources.first { $0.kind == most }?.seconds ?? 0
    return carrying[most, default: 0] > busy / 2 ? .messages : most.limit
  }
}

/// The means of a layer's exchange of a part.
private struct PromptExchange {
  var alone = 0.0
  var way = 0.0
  var ownExperts = 0.0
  /// By node of the cluster that has several: all its ranks, without attention and shared experts.
  var nodes: [Double] = []
  var busy: [PrefillPrediction.Resource.Kind: Double] = [:]
  /// Of `busy`: for messages.
  var carrying: [PrefillPrediction.Resource.Kind: Double] = [:]
}

/// Adds up a prompt's chunks.
private struct PromptSum {
  typealias Kind = PrefillPrediction.Resource.Kind

  let model: RunModel
  let workload: Workload
  var busy: [Kind: Double] = [:]
  var bound: [Kind: Double] = [:]
  /// Of `busy`: for messages.
  var carrying: [Kind: Double] = [:]
  /// By rows of a part.
  private(set) var exchanges: [Int: PromptExchange]

  init(_ model: RunModel, _ workload: Workload, exchanges: [Int: PromptExchange]) {
    (self.model, self.workload, self.exchanges) = (model, workload, exchanges)
  }

  mutating func addChunk(_ chunk: Range<Int>) {
    let costs = model.costs
    let cut = PromptCut(chunk, workload, model.placement)
    let (parts, rows) = (cut.parts, cut.rows)
    let node = model.layout.nodes[model.placement.coordinator]
    let (speed, nodeSpeed) = (model.coordinatorSpeed, model.layout.nodeSpeeds[node])
    let attention = model.promptAttention(cut, speed, besideExperts: cut.overlaps).seconds
    let firstAttention = model.promptAttention(cut, speed, besideExperts: false).seconds
    let attentionOfNode = model.promptAttention(cut, nodeSpeed, besideExperts: nil).seconds
    let dense = model.densePhase(rows: rows).seconds * Double(parts)
    let onlyCoordinator = dense + firstAttention * Double(costs.denseLayers)
    busy[.coordinator, default: 0] += onlyCoordinator
    bound[.coordinator, default: 0] += onlyCoordinator
    let layer = exchange(rows: rows)
    let shared = model.exchange.sharedTime(rows).seconds
    var taken = layer.busy.mapValues { $0 * Double(parts) }
    taken[.coordinator, default: 0] += attention + (shared + layer.ownExperts) * Double(parts)
    var nodes = layer.nodes.map { $0 * Double(parts) }
    if model.layout.hasNeighbours(model.placement.coordinator) {
      let sharedOfNode = nodeSpeed.duration(costs.shared, rows: rows, model.efficiency).seconds
      nodes[node] += sharedOfNode * Double(parts) + attentionOfNode
    }
    taken[.node] = nodes.max() ?? 0
    taken[.way] = attention / Double(parts) + (parts == 1 ? layer.alone : layer.way)
    let layers = Double(costs.expertLayers)
    for (kind, seconds) in taken { busy[kind, default: 0] += seconds * layers }
    for (kind, seconds) in layer.carrying { carrying[kind, default: 0] += seconds * Double(parts) * layers }
    let (kind, seconds) = longest(taken, parts: parts, isSpread: cut.isSpread)
    bound[kind, default: 0] += seconds * layers
    // The last part's experts are waited for alone.
    if parts > 1 { bound[.way, default: 0] += layer.way }
  }

  /// One part alone overlaps with nothing but its own shared experts, and with messages.
  private func longest(_ taken: [Kind: Double], parts: Int, isSpread: Bool) -> (Kind, Double) {
    if parts == 1 && !isSpread { return (.coordinator, taken[.way, default: 0]) }
    return Kind.allCases.map { ($0, taken[$0, default: 0]) }.max { $0.1 < $1.1 }!
  }

  private mutating func exchange(rows: Int) -> PromptExchange {
    if let known = exchanges[rows] { return known }
    var layer = PromptExchange()
    layer.nodes = [Double](repeating: 0, count: model.layout.nodeSpeeds.count)
    var batches = 0
    model.forEachBatch(of: rows, most: 4) { loads in
      batches += 1
      let time = model.exchange.time(loads, tokens: rows, includesShared: false)
      layer.alone += model.exchange.time(loads, tokens: rows, includesShared: true).total
      layer.way += time.total
      addNodes(loads, time, to: &layer)
      let placement = model.placement
      let own = model.exchange.expertTime(loads, rank: placement.coordinator).time.seconds
      let ownMessages = time.carryingSeconds(placement.coordinator)
      layer.ownExperts += own + time.adding + ownMessages
      var (router, routerMessages) = (0.0, 0.0)
      if placement.router == placement.coordinator {
        layer.ownExperts += time.routerBusy
      } else {
        routerMessages = time.carryingSeconds(placement.router)
        router = time.routerBusy + routerMessages
      }
      let messages: [(Kind, Double)] = [
        (.coordinator, ownMessages), (.router, routerMessages), (.host, time.busiestHostCarries),
      ]
      for (kind, seconds) in messages { layer.carrying[kind, default: 0] += seconds }
      let ports: [(Kind, Double)] = [
        (.router, router), (.host, time.busiestHost),
        (.portIntoCoordinator, time.portIntoCoordinator), (.portOutOfRouter, time.portOutOfRouter),
        (.portOutOfCoordinator, time.portOutOfCoordinator),
      ]
      for (kind, seconds) in ports { layer.busy[kind, default: 0] += seconds }
    }
    let share = 1 / Double(batches)
    layer.alone *= share
    layer.way *= share
    layer.ownExperts *= share
    layer.nodes = layer.nodes.map { $0 * share }
    layer.busy = layer.busy.mapValues { $0 * share }
    layer.carrying = layer.carrying.mapValues { $0 * share }
    exchanges[rows] = layer
    return layer
  }

  /// What several ranks of a node do between them, on all it has.
  private func addNodes(_ loads: HostLoads, _ time: ExchangeTime, to layer: inout PromptExchange) {
    guard model.layout.hasNeighbours else { return }
    let (placement, layout) = (model.placement, model.layout)
    let experts = model.exchange.nodeTimes(loads)
    for rank in 0..<placement.ranks where layout.hasNeighbours(rank) {
      var beside = time.carryingSeconds(rank)
      if rank == placement.router { beside += time.routerBusy }
      if rank == placement.coordinator { beside += time.adding }
      layer.nodes[layout.nodes[rank]] += beside * layout.partOfNode(rank)
    }
    for node in layout.sharedNodes { layer.nodes[node] += experts[node] }
  }
}
