import Checkpoint
import DeepSeek
import ExpertParallel
import Foundation
import Kernels
import Tokenization

/// One run on one rank: checkpoint and placement opened, agreed upon with the other ranks, roles loaded.
///
/// The coordinator generates through ``engine``; every other rank calls ``serve()``.
public final class RunSession {
  public let options: RunOptions
  public let fleet: Fleet
  public let checkpoint: Checkpoint
  public let placement: Placement
  public let formats: WeightFormats
  public let cacheFormat: CacheFormat
  public let limits: EngineLimits
  public let compute: Compute
  /// Nil on ranks that do not coordinate.
  public private(set) var tokenizer: Tokenizer?
  public private(set) var fabric: CoordinatorFabric?
  public private(set) var engine: Engine?
  private var node: RankNode?
  /// Compute threads of each rank, by rank; complete on the coordinator.
  public private(set) var threadsByRank: [Int] = []
  /// Kernels of each rank, by rank; complete on the coordinator.
  public private(set) var instructionSets: [String] = []
  /// What a person should know of this rank's memory; nil where there is nothing.
  public let memoryNote: String?
  private let copiesPrepared: Bool
  private var loadSeconds = 0.0
  private let interfacesBefore = InterfaceCount.ofThisMachine()
  /// Bytes that have crossed this host's network interfaces since the session began, the busiest first.
  public var interfaces: [InterfaceCount] {
    InterfaceCount.growth(from: interfacesBefore, to: InterfaceCount.ofThisMachine())
  }

  public var isCoordinator: Bool { fleet.rank == placement.coordinator }
  public var configuration: ModelConfiguration { checkpoint.configuration }
  /// Weights of the whole model, without multi-token prediction.
  var parametersInTotal: Int { ParameterInventory(configuration).total }

  /// Opens everything, agrees with the other ranks and loads this rank's roles.
  ///
  /// - Parameter progress: bytes of weights loaded so far, and in all, on this rank.
  /// - Throws: what is wrong, in words; the same on no two ranks (see ``isSaidElsewhere(_:)``).
  public init(_ options: RunOptions, fleet: Fleet, progress: ((Int, Int) -> Void)? = nil) throws {
    self.options = options
    self.fleet = fleet
    let start = MonotonicClock.seconds()
    fleet.starts()
    let slices = try fleet.decideSlices(options.denseSlices, threads: options.threads ?? fleet.defaultThreads)
    let opened = Result { try Opened(options, fleet: fleet, slices: slices) }
    let threads = options.threads ?? fleet.defaultThreads
    let kernels = try KernelTable.selected()
    let handshake = Handshake(
      Self.agreement(opened, options, fleet, threads: threads, kernels.instructionSet), over: fleet.exchange,
      coordinator: fleet.coordinator, hintForLacks: Self.hintForLacks(opened, options))
    if case .failure(let error) = opened, fleet.rank == fleet.coordinator {
      try handshake.fail(String(describing: error))
      throw error
    }
    try handshake.agree()
    let found = try opened.get()
    (checkpoint, placement, formats, limits) = (found.checkpoint, found.placement, found.formats, found.limits)
    (cacheFormat, memoryNote, copiesPrepared) = (found.cacheFormat, found.memoryNote, found.copiesPrepared)
    compute = Compute(kernels: kernels, threads: threads)
    compute.pool.betweenTiles = { [exchange = fleet.exchange] in exchange.progress() }
    threadsByRank = handshake.agreements.map { $0?.threads ?? 0 }
    instructionSets = handshake.agreements.map { $0?.instructionSet ?? "" }
    try load(found.weightBytes, progress)
    try handshake.ready()
    fleet.hasStarted()
    loadSeconds = MonotonicClock.seconds() - start
  }

  /// Answers the coordinator until it says that the run is over.
  public func serve() throws { try node?.serve() }

  /// Whether an error is only this rank's echo of what the coordinator has already reported.
  public static func isSaidElsewhere(_ error: any Error) -> Bool { (error as? FabricError)?.reason == .ended }

  /// Gathers what all ranks have done and lets them go. Coordinator only.
  public func finish() throws -> RunSummary {
    guard let fabric, let engine else { preconditionFailure("only the coordinator finishes a run") }
    let ranks = try fabric.gatherStatistics()
    try fabric.shutDown()
    return summary(ranks, fabric: fabric, engine: engine)
  }

  private func summary(_ ranks: [RankStatistics], fabric: CoordinatorFabric, engine: Engine) -> RunSummary {
    var phases = compute.phases
    let own = ranks[fleet.rank]
    phases[.dispatch] = own.dispatchSeconds
    phases[.combine] = own.combineSeconds
    phases[.wait] = fabric.times.wait
    phases[.gate] = own.gateSeconds
    phases[.expertCompute] = own.expertSeconds
    var summary = RunSummary(
      model: options.model.lastPathComponent, checkpoint: checkpoint.fingerprint, formats: formats.description,
      cacheFormat: cacheFormat, instructionSets: instructionSets, threads: threadsByRank, limits: limits,
      engine: engine.statistics, phases: phases, ranks: ranks,
      parametersInTotal: parametersInTotal, tokensComputed: engine.statistics.rowsComputed,
      loadSeconds: loadSeconds, expertLayers: configuration.moeLayers.count,
      expertsPerLayer: configuration.routedExperts, expertsPerToken: configuration.expertsPerToken,
      conversions: conversions)
    summary.isPhantom = checkpoint.isPhantom
    summary.weightBytes = weightBytes
    summary.engine.logitsHash = engine.logitsHash
    return summary
  }

  /// What became of a GGUF file's tensors that do not run as they lie, a line for each way.
  public var conversions: [String] { WeightConversions(checkpoint, formats).texts }
}

// MARK: - Loading

extension RunSession {
  /// - Parameter bytes: of this rank's weights.
  private func load(_ bytes: Int, _ progress: ((Int, Int) -> Void)?) throws {
    try check(progress)
    let loader = WeightLoader(checkpoint: checkpoint, formats: formats, compute: compute)
    loader.copiesPrepared = copiesPrepared
    let total = parametersOnThisRank()
    loader.progress = { done in
      progress?(Int(Double(bytes) * min(1, Double(done) / Double(total))), bytes)
      if Fleet.isInterrupted { throw Interrupted() }
    }
    let rank = fleet.rank
    let shape = WireShape(
      hidden: configuration.hidden, encoding: formats.dispatchEncoding(hidden: configuration.hidden),
      experts: configuration.routedExperts,
      expertsPerToken: configuration.expertsPerToken, layers: configuration.layers, ranks: fleet.rankCount)
    let owned = placement.experts(of: rank)
    let node = RankNode(
      exchange: fleet.exchange, placement: placement, shape: shape,
      gate: rank == placement.router ? try gate(loader) : nil,
      shard: owned.isEmpty ? nil : try loader.experts(owned, maxTokens: limits.prefillChunk + limits.maxSequences),
      slices: try isCoordinator ? nil : placement.share(of: rank).map { try loader.slices($0) },
      compute: compute,
      probes: Probes(
        parametersApplied: { [compute] in compute.parametersApplied },
        integerParametersApplied: { [compute] in compute.integerParametersApplied },
        weightBytesRead: { [compute] in compute.weightBytesRead }, residentBytes: ProcessMemory.resident,
        storageBytesRead: { ProcessStorage.bytesRead() }))
    self.node = node
    guard isCoordinator else { return }
    let model = try loader.model(
      positions: limits.contextSize,
      workspace: limits.workspace(configuration, cacheFormat: cacheFormat, compute: compute))
    model.microBatches = placement.hosts == [rank] ? 1 : options.microBatches
    let fabric = CoordinatorFabric(node: node)
    tokenizer = try checkpoint.tokenizer()
    self.fabric = fabric
    engine = Engine(
      model: model, fabric: fabric, tokenizer: tokenizer, limits: limits,
      endTokens: checkpoint.generationDefaults.eosTokens)
  }

  /// What is asked for with the files of a prepared model. Of the dense bundle a rank with slices reads a part, so it
  /// neither brings all of it into memory nor keeps it there.
  private func check(_ progress: ((Int, Int) -> Void)?) throws {
    let bundles = placement.bundles(of: fleet.rank)
    let kept = bundles.filter { isCoordinator || $0 != .dense }
    let parts: [(PreparedChecks, [BundleName])] = [(.verify, bundles), ([.populate, .lock], kept)]
    for (checks, bundles) in parts {
      try checkpoint.prepared?.run(options.checks.intersection(checks), bundles, compute.pool) { done, total in
        progress?(done, total)
        if Fleet.isInterrupted { throw Interrupted() }
      }
    }
  }

  private func gate(_ loader: WeightLoader) throws -> any TokenGate {
    let gates = try loader.gates()
    return options.replay.map { ReplayGate(gates, $0) } ?? gates
  }

  /// Weights that this rank packs.
  private func parametersOnThisRank() -> Int {
    let inventory = ParameterInventory(configuration)
    let counts = inventory.countByPart
    var total = placement.experts(of: fleet.rank).count * inventory.parametersPerExpert
    if fleet.rank == placement.router { total += counts[.gates, default: 0] }
    if !isCoordinator, let share = placement.share(of: fleet.rank) {
      var divisible = 0
      HeldMatrix.forEach(configuration, formats) { divisible += $0.isDivisible ? $0.weights : 0 }
      total += divisible / share.count
    }
    if isCoordinator {
      let parts: [ModelPart] = [.attention, .denseFeedForward, .sharedExperts]
      total += parts.reduce(configuration.vocabularySize * configuration.hidden) { $0 + counts[$1, default: 0] }
    }
    return total
  }
}
