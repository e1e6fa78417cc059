import DeepSeek
import Kernels

/// The coordinator's side of the routed experts: sends a layer's tokens to the router, and assembles what the
/// hosts send back. Several dispatches may be under way.
public final class CoordinatorFabric: ExpertFabric {
  public let node: RankNode
  /// Whether the gate logits travel with the routing.
  public var wantsLogits = false
  public private(set) var routing: Routing
  /// Seconds spent sending tokens, assembling sums, and waiting for others.
  public internal(set) var times = FabricTimes()
  let shape: WireShape
  private(set) var underWay: [BatchAssembly] = []
  private var spare: [BatchAssembly] = []
  private var nextBatch: UInt32 = 0
  /// The product of the dense part that is under way.
  var divided: DividedProduct
  /// Whether all ranks that divide the dense part are of this host.
  let areSlicesNear: Bool
  private var statistics: [RankStatistics?] = []
  /// By rank: how often its rows were the last that a layer waited for.
  private var answeredLast: [Int]

  /// - Precondition: the node's rank is the placement's coordinator.
  public init(node: RankNode) {
    precondition(node.exchange.rank == node.placement.coordinator)
    self.node = node
    shape = node.shape
    routing = Routing(tokens: 0, expertsPerToken: node.shape.expertsPerToken)
    answeredLast = Array(repeating: 0, count: node.shape.ranks)
    divided = DividedProduct(ranks: node.shape.ranks)
    let (exchange, slices) = (node.exchange, node.placement.slices)
    areSlicesNear = slices.allSatisfy { exchange.hostName(of: $0) == exchange.hostName(of: exchange.rank) }
    node.fabric = self
  }

  /// Where the router is this rank, the gate runs at once, so that the hosts can start.
  public func dispatch(_ tokens: ActivationRows, layer: Int) throws -> DispatchTicket {
    precondition(tokens.columns == shape.hidden && layer >= 0 && layer < shape.layers)
    let start = Clock.seconds
    let ticket = DispatchTicket(layer: layer, tokens: tokens.count, batch: nextBatch)
    nextBatch &+= 1
    let assembly = spare.popLast() ?? BatchAssembly(placement: node.placement, shape: shape)
    assembly.start(layer: layer, batch: ticket.batch, tokens: tokens.count, wantsLogits: wantsLogits)
    underWay.append(assembly)
    try explainingLoss(of: assembly) {
      try node.compute.note(.dispatch) {
        for first in stride(from: 0, to: tokens.count, by: shape.maxTokensPerMessage) {
          let piece = first..<min(first + shape.maxTokensPerMessage, tokens.count)
          try send(tokens[rows: piece], from: first, of: ticket)
        }
      }
      times.dispatch += Clock.seconds - start
      if let router = node.router {
        try wait { router.routed == (ticket.batch, tokens.count) || tokens.count == 0 }
      }
    }
    return ticket
  }

  public func combine(_ ticket: consuming DispatchTicket, into output: ActivationRows) throws {
    let batch = ticket.batch
    guard let index = underWay.firstIndex(where: { $0.batch == batch }) else {
      preconditionFailure("the ticket is another fabric's")
    }
    let assembly = underWay[index]
    precondition(output.count == assembly.tokens && output.columns == shape.hidden)
    try explainingLoss(of: assembly) { try wait { assembly.isComplete } }
    let start = Clock.seconds
    node.compute.note(.combine) { assembly.finish(into: output, compute: node.compute) }
    swap(&routing, &assembly.routing)
    underWay.remove(at: index)
    spare.append(assembly)
    times.combine += Clock.seconds - start
  }

  /// What every rank has done so far, by rank.
  public func gatherStatistics() throws -> [RankStatistics] {
    statistics = Array(repeating: nil, count: shape.ranks)
    statistics[node.exchange.rank] = node.statistics()
    let asked = MonotonicClock.seconds()
    try explainingLoss(layer: nil, awaited: { "statistics" }) {
      try node.sendToOthers(.statisticsRequest)
      // No step waits for them.
      try work { statistics.allSatisfy { $0 != nil } }
    }
    return statistics.compactMap { $0.map { onOwnClock($0, asked: asked) } }
  }

  /// Hosts have clocks of their own: the one that a rank had when it was asked is what this one was then.
  private func onOwnClock(_ found: RankStatistics, asked: Double) -> RankStatistics {
    var found = found
    let own = node.exchange.hostName(of: node.exchange.rank)
    if node.exchange.hostName(of: found.rank) != own {
      found.timeline = found.timeline.map { $0.moved(by: asked - found.clock) }
    }
    return found
  }

  /// The rank that layers waited for most often; nil before the first.
  public var slowestRank: Int? {
    let most = answeredLast.indices.max { answeredLast[$0] < answeredLast[$1] }
    return most.flatMap { answeredLast[$0] > 0 ? $0 : nil }
  }

  /// While nothing is to be computed: keeps heartbeats going and rests a little.
  public func rest() throws {
    if try !node.pump() { try node.exchange.rest() }
  }

  /// Tells every other rank to stop serving.
  public func shutDown() throws { try node.sendToOthers(.shutdown) }

  /// Takes routing, partial sums, rows of the dense part and statistics that the node has received.
  func handle(_ message: Message, _ kind: MessageKind) throws {
    if kind == .statistics {
      return try take(ServiceMessage.decode(RankStatistics.self, from: message, .statistics), message)
    }
    let start = Clock.seconds
    if kind == .sliceRows {
      try divided.take(message, shape: shape)
    } else if kind == .routing {
      let piece = try RoutingMessage(reading: message, shape: shape)
      try WireCheck(message, kind, shape).equal(message.source, node.placement.router, "source")
      try assembly(of: piece.header, message).take(message, routing: piece)
    } else {
      let piece = try PartialSumsMessage(reading: message, shape: shape)
      let (assembly, source) = (try assembly(of: piece.header, message), message.source)
      try assembly.take(message, sums: piece)
      if assembly.isComplete { answeredLast[source] += 1 }
    }
    times.combine += Clock.seconds - start
  }

  private func take(_ found: RankStatistics, _ message: Message) throws {
    guard found.rank == message.source, statistics.indices.contains(found.rank), statistics[found.rank] == nil
    else {
      throw WireError(
        source: message.source, kind: .statistics, field: "rank",
        expected: "one answer about rank \(message.source)", found: "one about rank \(found.rank)")
    }
    statistics[found.rank] = found
    message.recycle()
  }

  private func send(_ rows: ActivationRows, from first: Int, of ticket: borrowing DispatchTicket) throws {
    var header = WireHeader(.activations, epoch: shape.epoch)
    header.layer = ticket.layer
    header.batch = ticket.batch
    header.firstToken = first
    header.tokens = rows.count
    header.rows = rows.count
    header.hasLogits = wantsLogits
    let exchange = node.exchange
    let message = exchange.message(
      capacity: ActivationsMessage.byteCount(tokens: rows.count, shape: shape))
    ActivationsMessage(writing: message, header: header, shape: shape).rows.copy(from: rows)
    try exchange.send(message, to: node.placement.router)
  }

  private func assembly(of header: WireHeader, _ message: Message) throws -> BatchAssembly {
    guard let assembly = underWay.first(where: { $0.batch == header.batch }) else {
      let batches = underWay.map { String($0.batch) }.joined(separator: ", ")
      throw WireCheck(message, header.kind, shape).error(
        "batch", expected: batches.isEmpty ? "nothing, no batch is under way" : batches,
        found: "\(header.batch)")
    }
    return assembly
  }

  /// Does this rank's own work and takes what arrives, until it is enough.
  private func work(until isEnough: () -> Bool) throws {
    while !isEnough() {
      if try !node.pump() { try node.exchange.idle() }
    }
  }

  /// ``work(until:)`` in a step: what is left of the time is waiting.
  func wait(until isEnough: () -> Bool) throws {
    let (start, busy) = (Clock.seconds, busySeconds)
    try work(until: isEnough)
    times.wait += max(0, Clock.seconds - start - (busySeconds - busy))
  }

  /// Seconds of work in all of this rank's roles.
  private var busySeconds: Double {
    let gate = node.router?.times
    return times.combine + (node.host?.work.seconds ?? 0) + (gate?.gate ?? 0) + (gate?.dispatch ?? 0)
  }

  private func explainingLoss(of assembly: BatchAssembly, _ body: () throws -> Void) throws {
    try explainingLoss(layer: assembly.layer, awaited: { self.awaited(assembly) }, body)
  }

  func explainingLoss(
    layer: Int?, awaited: () -> String, _ body: () throws -> Void
  ) throws {
    do {
      try body()
    } catch let lost as RankLost {
      throw FabricError(lost, layer: layer, awaited: awaited())
    } catch let error as WireError {
      throw FabricError(error, host: node.exchange.hostName(of: error.source), layer: layer)
    } catch var error as FabricError {
      error.layer = error.layer ?? layer
      throw error
    }
  }

  private func awaited(_ assembly: BatchAssembly) -> String {
    let what = assembly.isRoutingComplete ? "partial sums" : "the routing"
    let ranks = assembly.isRoutingComplete ? assembly.awaitedHosts : [node.placement.router]
    let names = ranks.map { "rank \($0) on host \(node.exchange.hostName(of: $0))" }
    return "\(what) of \(assembly.tokens) token\(assembly.tokens == 1 ? "" : "s") from "
      + names.joined(separator: " and ")
  }
}

/// Seconds of a fabric since it was made.
public struct FabricTimes: Sendable, Equatable, Codable {
  /// Copying and sending tokens.
  public var dispatch = 0.0
  /// Checking and adding what came back.
  public var combine = 0.0
  /// Nothing to do but wait for other ranks.
  public var wait = 0.0

  public init() {}
}
