import DeepSeek
import Foundation
import Kernels

/// A rank: its exchange, and the roles that the placement gives it, in any combination.
public final class RankNode {
  public let exchange: any Exchange
  public let placement: Placement
  public let shape: WireShape
  let router: RouterRole?
  let host: ExpertHostRole?
  let slices: SliceRole?
  /// Threads for adding up rows.
  let compute: Compute
  /// What only others can count.
  public let probes: Probes
  /// Set while the coordinator's fabric lives.
  weak var fabric: CoordinatorFabric?
  /// Set once the coordinator has said that there is nothing more to do.
  public private(set) var isShutDown = false
  /// Why this rank can no longer work; it then only waits for the end.
  public private(set) var failure: (any Error)?
  private var waitSeconds = 0.0
  /// Of the last piece of work that has arrived.
  private var lastLayer: Int?
  /// Dispatches that have arrived and not yet run.
  private var waiting: [Message] = []

  /// - Parameters:
  ///   - gate: needed on the placement's router.
  ///   - shard: needed on ranks that hold experts.
  ///   - slices: needed on ranks that compute rows of the dense part for the coordinator.
  public init(
    exchange: any Exchange, placement: Placement, shape: WireShape, gate: (any TokenGate)?,
    shard: (any ExpertShard)?, slices: (any DenseShard)? = nil,
    compute: Compute = Compute(kernels: .best, threads: 1), probes: Probes = Probes()
  ) {
    let rank = exchange.rank
    precondition(placement.ranks == exchange.rankCount && shape.ranks == exchange.rankCount)
    precondition(gate != nil || placement.router != rank, "the router needs gates")
    precondition(shard != nil || !placement.owners.contains(rank), "a host needs its experts")
    precondition(slices != nil || !placement.slices.contains(rank), "a rank with slices needs them")
    self.exchange = exchange
    self.placement = placement
    self.shape = shape
    self.probes = probes
    self.compute = compute
    router =
      placement.router == rank
      ? RouterRole(gate: gate!, placement: placement, shape: shape, exchange: exchange) : nil
    host = shard.map {
      ExpertHostRole(shard: $0, placement: placement, shape: shape, exchange: exchange, compute: compute)
    }
    self.slices = slices.map {
      SliceRole(shard: $0, placement: placement, shape: shape, exchange: exchange, compute: compute)
    }
  }

  /// Gives one message, if there is one, to the role it is for. Experts wait until everything else that has
  /// arrived is done: a gate may keep many hosts busy, and replies hold memory.
  /// - Returns: whether there was one.
  /// - Throws: `WireError` where the message is not what its sender should have sent, `FabricError` where it
  ///   says that the job is over, and what the exchange throws.
  public func pump() throws -> Bool {
    while let message = try exchange.receive() {
      let header = try WireHeader(reading: message)
      let kind = header.kind
      if kind == .activations || kind == .dispatch || kind == .slice { lastLayer = header.layer }
      guard kind == .dispatch else {
        try handle(message, kind)
        return true
      }
      waiting.append(message)
    }
    guard !waiting.isEmpty else { return false }
    let message = waiting.removeFirst()
    try handle(message, .dispatch)
    return true
  }

  private func handle(_ message: Message, _ kind: MessageKind) throws {
    switch kind {
    case .activations: try compute.note(.gate) { try role(router, kind, message).handle(message) }
    case .dispatch: try compute.note(.expertCompute) { try role(host, kind, message).handle(message) }
    case .slice: try role(slices, kind, message).handle(message)
    case .routing, .partialSums, .sliceRows:
      try compute.note(.combine) { try role(fabric, kind, message).handle(message, kind) }
    case .statistics: try role(fabric, kind, message).handle(message, kind)
    case .statisticsRequest, .shutdown: try obey(message, kind)
    case .fault: throw try ending(message)
    case .hello, .welcome, .ready, .announcement: _ = try role(nil as RouterRole?, kind, message)
    }
  }

  /// Some layers' worth.
  private static let piecesSent = 32

  /// Like ``pump()`` for a rank that serves others: what goes wrong is reported to the coordinator.
  /// - Throws: `FabricError` when this rank can do nothing more: the coordinator is lost or has ended the job.
  public func step() throws -> Bool {
    do {
      return try pump()
    } catch let error as FabricError {
      throw error
    } catch let lost as RankLost where lost.rank == placement.coordinator {
      throw FabricError(lost, layer: nil, awaited: awaited)
    } catch {
      if failure == nil {
        failure = error
        try report(String(describing: error))
      }
      return true
    }
  }

  /// Works until the coordinator says that it is over.
  /// - Throws: what ``step()`` throws, and why this rank failed, if it did.
  public func serve() throws {
    while !isShutDown {
      if try step() { continue }
      let start = Clock.seconds
      do { try exchange.idle() } catch let lost as RankLost {
        throw FabricError(lost, layer: nil, awaited: awaited)
      }
      waitSeconds += Clock.seconds - start
    }
    if let failure { throw failure }
  }

  private var awaited: String { "work" + (lastLayer.map { " after that of layer \($0)" } ?? "") }

  /// Tells the coordinator why this rank cannot go on.
  public func report(_ text: String) throws {
    try ServiceMessage.send(
      .fault, payload: ServiceMessage.text(text), epoch: shape.epoch, to: placement.coordinator,
      over: exchange)
  }

  /// What this rank has done so far.
  public func statistics() -> RankStatistics {
    let clock = MonotonicClock.seconds()
    var found = RankStatistics(
      rank: exchange.rank, host: exchange.hostName(of: exchange.rank),
      roles: placement.roles(of: exchange.rank))
    found.expertsHeld = placement.owners.count { $0 == exchange.rank }
    found.expertPairsHeld = host?.held ?? 0
    if let work = host?.work {
      found.expertsActivated = work.ids
      found.expertPairsActivated = work.pairs
      found.expertRows = work.rows
      found.expertSeconds = work.seconds
    }
    if let times = router?.times {
      found.gateSeconds = times.gate
      found.dispatchSeconds = times.dispatch
    }
    found.sliceSeconds = slices?.seconds ?? 0
    found.busySeconds = found.expertSeconds + found.gateSeconds + found.dispatchSeconds + found.sliceSeconds
    found.waitSeconds = waitSeconds
    if let times = fabric?.times {
      found.busySeconds += times.dispatch + times.combine
      found.dispatchSeconds += times.dispatch
      found.combineSeconds = times.combine
      found.waitSeconds += times.wait
    }
    found.parametersApplied = probes.parametersApplied()
    found.integerParametersApplied = probes.integerParametersApplied()
    found.weightBytesRead = probes.weightBytesRead()
    found.residentBytes = probes.residentBytes()
    found.storageBytesRead = probes.storageBytesRead()
    found.traffic = exchange.traffic
    found.clock = clock
    let isCoordinator = exchange.rank == placement.coordinator
    found.timeline = isCoordinator ? compute.timeline.pieces : compute.timeline.pieces.suffix(Self.piecesSent)
    return found
  }

  func sendToOthers(_ kind: MessageKind) throws {
    for rank in 0..<exchange.rankCount where rank != exchange.rank {
      try ServiceMessage.send(kind, epoch: shape.epoch, to: rank, over: exchange)
    }
  }

  private func obey(_ message: Message, _ kind: MessageKind) throws {
    _ = try ServiceMessage.payload(of: message, kind)
    try WireCheck(message, kind, shape).equal(message.source, placement.coordinator, "source")
    message.recycle()
    if kind == .shutdown {
      isShutDown = true
    } else {
      try ServiceMessage.send(
        .statistics, payload: ServiceMessage.encode(statistics()), epoch: shape.epoch,
        to: placement.coordinator, over: exchange)
    }
  }

  private func ending(_ message: Message) throws -> FabricError {
    let text = String(decoding: try ServiceMessage.payload(of: message, .fault), as: UTF8.self)
    let isCoordinator = exchange.rank == placement.coordinator
    return FabricError(
      reason: isCoordinator ? .fault : .ended, rank: message.source,
      host: exchange.hostName(of: message.source), text: text)
  }

  private func role<Role>(_ role: Role?, _ kind: MessageKind, _ message: Message) throws -> Role {
    guard let role else {
      throw WireError(
        source: message.source, kind: kind, field: "kind",
        expected: "what rank \(exchange.rank) handles (it is: "
          + "\(placement.roles(of: exchange.rank).joined(separator: ", ")))", found: "\(kind)")
    }
    return role
  }
}
