import Checkpoint
import DeepSeek
import ExpertParallel
import Foundation
import Kernels

extension RunSession {
  static func agreement(
    _ opened: Result<Opened, any Error>, _ options: RunOptions, _ fleet: Fleet, threads: Int,
    _ instructionSet: InstructionSet
  ) -> Agreement {
    var entries = [Agreement.Entry("version", options.version, hint: "install the same version on every node")]
    // Reading tens of megabytes is worth it only where there is another program to compare with.
    if fleet.rankCount > 1 {
      let hash = OwnProgram.hash ?? "unreadable"
      entries.append(Agreement.Entry("binary", hash, hint: "copy the same binary to every node"))
    }
    var failure: String?
    switch opened {
    case .success(let opened):
      // Of prepared models the checkpoint's hash differs with the format, which tells more.
      let formats = "give every rank the same --quant, and every node the model prepared in the same format"
      entries += [
        .init("weight format", opened.formats.description, hint: formats),
        .init("checkpoint", opened.checkpoint.fingerprint, hint: "copy the same checkpoint to every node"),
        .init("placement", opened.placement.hash, hint: "give every rank the same placement"),
        .init("cache format", opened.cacheFormat.rawValue, hint: "give every rank the same --cache-type"),
      ]
    case .failure(let error):
      let (path, text) = (options.model.path(percentEncoded: false), "\(error)")
      failure = text.hasPrefix(path) ? text : "\(path): \(text)"
    }
    return Agreement(
      entries, host: fleet.exchange.hostName(of: fleet.rank), process: ProcessInfo.processInfo.processIdentifier,
      threads: threads, instructionSet: instructionSet.rawValue, failure: failure,
      lacks: (try? opened.get().lacks) ?? [])
  }

  /// What helps ranks that lack bundles or memory.
  static func hintForLacks(_ opened: Result<Opened, any Error>, _ options: RunOptions) -> String {
    guard let opened = try? opened.get() else { return "" }
    let memory =
      "for memory use more nodes, fewer ranks on a node, a smaller --quant or --ctx-size"
      + (opened.placement.slices.isEmpty ? "" : ", or --dense-slices none")
    guard let prepared = opened.checkpoint.prepared else { return memory }
    let folder = prepared.folder.standardizedFileURL.path(percentEncoded: false)
    return "bundles come with flotilla push PREPARED --hostfile HOSTFILE --to \(folder)\(options.rolesAsArguments), "
      + "PREPARED being a folder that has them all; \(memory)"
  }
}

/// What a rank finds before it talks to the others.
struct Opened {
  let checkpoint: Checkpoint
  let placement: Placement
  let formats: WeightFormats
  let cacheFormat: CacheFormat
  let limits: EngineLimits
  /// Bundles and memory that this rank needs and has not, in words. Of one rank that is an error at once.
  let lacks: [String]
  /// For the person; nil where there is nothing to say.
  let memoryNote: String?
  /// Of this rank.
  let weightBytes: Int
  /// Whether weights of a prepared model are copied into huge pages.
  let copiesPrepared: Bool

  /// - Parameter slices: ranks that compute rows of the dense part.
  init(_ options: RunOptions, fleet: Fleet, slices: SlicesDecision) throws {
    checkpoint = try options.phantom.map { try Checkpoint($0) } ?? Checkpoint.open(options.model)
    let configuration = checkpoint.configuration
    guard configuration.expertsPerToken <= WireShape.mostExpertsPerToken else {
      throw RequestError(
        "config.json: num_experts_per_tok: expected at most \(WireShape.mostExpertsPerToken), "
          + "found \(configuration.expertsPerToken)")
    }
    var placement: Placement
    if let file = options.placement {
      placement = try Placement.load(file, ranks: fleet.rankCount, experts: configuration.routedExperts)
    } else {
      placement = try Placement.contiguous(
        for: configuration, ranks: fleet.rankCount, coordinator: fleet.coordinator, router: options.routerRank,
        coordinatorExperts: options.coordinatorExperts)
    }
    formats = try WeightFormats(quant: options.formats, requantizes: options.requantizes, for: checkpoint)
    try options.accept?(checkpoint, formats)
    let sizes = WeightSizes(configuration, formats)
    placement = try slices.applied(to: placement, sizes)
    self.placement = placement
    var lacks: [String] = []
    if let prepared = checkpoint.prepared {
      let bundles = placement.bundles(of: fleet.rank)
      if fleet.rankCount == 1 { try prepared.require(bundles) }
      let sizes = { [formats] in PreparedSizes(configuration, formats, plain: .bf16).bundles }
      if let absent = prepared.absent(of: bundles, sizes: sizes) {
        let folder = prepared.folder.path(percentEncoded: false)
        lacks.append("bundles: expected \(absent) in \(folder), found no such files")
      }
    } else if !options.checks.isEmpty {
      throw RequestError(
        "\(options.checks.options): expected a prepared model, found \(options.model.lastPathComponent). "
          + "Hint: flotilla prepare makes one")
    }
    cacheFormat = options.cacheFormat ?? .automatic(for: formats)
    let plan = MemoryPlan(
      configuration: configuration, formats: formats, sizes: sizes, cacheFormat: cacheFormat, placement: placement,
      prefillChunk: options.prefillChunk, sequences: options.parallel,
      threads: options.threads ?? fleet.defaultThreads)
    weightBytes = plan.weightBytes(rank: fleet.rank)
    // What a phantom's matrices share is not in the plan.
    let (ranks, available) = (fleet.ranksOnThisHost(), checkpoint.isPhantom ? nil : MachineMemory.available())
    func budget(mapsWeights: Bool) -> MemoryBudget {
      MemoryBudget(
        plan, ranks: ranks, available: available, mapsWeights: mapsWeights, contextOptions: options.contextOptions)
    }
    // One rank may try with mapped weights: what does not fit is read again and again. Several were made to fit.
    let mayMap = checkpoint.prepared != nil && fleet.rankCount == 1 && options.hugePages != .on
    let contextSize = try budget(mapsWeights: mayMap).contextSize(asked: options.contextSize)
    copiesPrepared =
      try checkpoint.prepared != nil
      && options.hugePages.copies(options.checks, machine: .ofThisMachine()) {
        budget(mapsWeights: false).shortage(contextSize: contextSize) == nil
      }
    let budget = budget(mapsWeights: mayMap && !copiesPrepared)
    memoryNote = budget.note(host: fleet.hostName)
    if let shortage = budget.shortage(contextSize: contextSize) {
      if fleet.rankCount == 1 { throw RequestError(shortage + ". Hint: a smaller --quant, or more nodes") }
      // Of a host, the first rank speaks.
      if ranks.first == fleet.rank { lacks.append(shortage) }
    }
    self.lacks = lacks
    limits = EngineLimits(
      contextSize: contextSize + options.unreadTokens, prefillChunk: min(options.prefillChunk, contextSize),
      maxSequences: options.parallel)
  }
}

extension Checkpoint {
  /// The smallest run format that loses nothing: fp8 for official FP8 checkpoints, bf16 where every matrix is stored
  /// so, else f32. Gates do not count: they are f32 in every format.
  public var naturalFormat: WeightFormat {
    if hasFP8 { return .fp8 }
    let unused = Set(surplus).union(skipped).union(configuration.moeLayers.map(ParameterNames.gate))
    let isExact = tensors.values.allSatisfy { $0.shape.count != 2 || $0.type == .bf16 || unused.contains($0.name) }
    return isExact ? .bf16 : .f32
  }

  /// Whether there are weights that run as ``WeightFormat/fp8``.
  var hasFP8: Bool { configuration.quantizationBlock == .fp8 && tensors.values.contains { $0.type == .f8e4m3 } }
}
