import Checkpoint
import Crypto
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
      entries.append(Agreement.Entry("binary", binaryHash(), hint: "copy the same binary to every node"))
    }
    switch opened {
    case .success(let opened):
      entries += [
        .init("checkpoint", opened.checkpoint.fingerprint, hint: "copy the same checkpoint to every node"),
        .init("placement", opened.placement.hash, hint: "give every rank the same placement"),
        .init("weight format", opened.formats.description, hint: "give every rank the same --quant"),
        .init("cache format", opened.cacheFormat.rawValue, hint: "give every rank the same --cache-type"),
        .init(
          "memory", opened.memory, hint: "use more nodes, fewer ranks on a node, or a smaller --quant or --ctx-size"),
      ]
    case .failure(let error):
      entries.append(.init("checkpoint", "not usable: \(error)", hint: "the path must lead to it on every node"))
    }
    return Agreement(
      entries, host: fleet.exchange.hostName(of: fleet.rank), process: ProcessInfo.processInfo.processIdentifier,
      threads: threads, instructionSet: instructionSet.rawValue)
  }

  /// SHA-256 of the running program.
  private static func binaryHash() -> String {
    guard let bytes = try? Data(contentsOf: URL(filePath: "/proc/self/exe"), options: .mappedIfSafe) else {
      return "unreadable"
    }
    return SHA256.hash(data: bytes).map { String(format: "%02x", $0) }.joined()
  }
}

/// What a rank finds before it talks to the others.
struct Opened {
  let checkpoint: Checkpoint
  let placement: Placement
  let formats: WeightFormats
  let cacheFormat: CacheFormat
  let limits: EngineLimits
  /// "fits", or what is missing on this host.
  let memory: String
  /// What is missing on this host, and what to do about it; nil where all fits.
  let shortage: RequestError?
  /// For the person; nil where there is nothing to say.
  let memoryNote: String?

  init(_ options: RunOptions, fleet: Fleet) throws {
    checkpoint = try Checkpoint.open(options.model)
    let configuration = checkpoint.configuration
    guard configuration.expertsPerToken <= WireShape.mostExpertsPerToken else {
      throw RequestError(
        "config.json: num_experts_per_tok: expected at most \(WireShape.mostExpertsPerToken), "
          + "found \(configuration.expertsPerToken)")
    }
    if let file = options.placement {
      placement = try Placement.load(file, ranks: fleet.rankCount, experts: configuration.routedExperts)
    } else {
      placement = try Placement.contiguous(
        for: configuration, ranks: fleet.rankCount, coordinator: fleet.coordinator, router: options.routerRank,
        coordinatorExperts: options.coordinatorExperts)
    }
    formats = try WeightFormats(quant: options.formats, requantizes: options.requantizes, for: checkpoint)
    if let prepared = checkpoint.prepared {
      try prepared.require(placement.bundles(of: fleet.rank))
    } else if !options.checks.isEmpty {
      throw RequestError(
        "--verify, --populate, --mlock: expected a prepared model, found \(options.model.lastPathComponent). "
          + "Hint: flotilla prepare makes one")
    }
    cacheFormat = options.cacheFormat ?? .automatic(for: formats)
    let plan = MemoryPlan(
      configuration: configuration, formats: formats, cacheFormat: cacheFormat, placement: placement,
      prefillChunk: options.prefillChunk, sequences: options.parallel,
      threads: options.threads ?? fleet.defaultThreads)
    let budget = MemoryBudget(
      plan, ranks: fleet.ranksOnThisHost(), available: MachineMemory.available(),
      mapsWeights: checkpoint.prepared != nil)
    let contextSize = try budget.contextSize(asked: options.contextSize)
    memory = budget.verdict(contextSize: contextSize)
    shortage = budget.shortage(contextSize: contextSize, rank: fleet.rank, host: fleet.hostName)
    memoryNote = budget.note(host: fleet.hostName)
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
