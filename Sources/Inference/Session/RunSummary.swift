import DeepSeek
import ExpertParallel
import Kernels

/// Everything a finished run knows about itself, as the throughput report shows it. Raw counts and seconds;
/// rates and shares are worked out by whoever shows them.
public struct RunSummary: Sendable {
  /// Name of the model's folder.
  public var model: String
  /// SHA-256 of configuration and headers.
  public var checkpoint: String
  /// Run formats of the weights, as `--quant` takes them.
  public var formats: String
  /// Of the latents in the caches.
  public var cacheFormat: CacheFormat
  /// Kernels of each rank, by rank.
  public var instructionSets: [String]
  /// Compute threads of each rank, by rank.
  public var threads: [Int]
  public var limits: EngineLimits
  public var engine: EngineStatistics
  /// Seconds of the coordinator by phase. Gate and expert compute are there where they ran on its rank.
  public var phases: PhaseTimes
  /// One entry a rank, by rank.
  public var ranks: [RankStatistics]
  /// Weights of the whole model, without multi-token prediction.
  public var parametersInTotal: Int
  /// Of these, matrices in their run formats and the embedding as it is stored; nil: not counted.
  public var weightBytes: Int?
  /// Tokens that went through the layers, prompt and generated.
  public var tokensComputed: Int
  /// Seconds from the start of loading to ready.
  public var loadSeconds: Double
  /// Number of layers with routed experts, experts in each, experts per token.
  public var expertLayers: Int
  public var expertsPerLayer: Int
  public var expertsPerToken: Int
  /// What became of a GGUF file's tensors that do not run as they lie, a line for each way.
  public var conversions: [String]
  /// Whether the weights were those of a `PhantomModel`.
  public var isPhantom = false

  public init(
    model: String, checkpoint: String, formats: String, cacheFormat: CacheFormat, instructionSets: [String],
    threads: [Int], limits: EngineLimits, engine: EngineStatistics, phases: PhaseTimes, ranks: [RankStatistics],
    parametersInTotal: Int, tokensComputed: Int, loadSeconds: Double, expertLayers: Int, expertsPerLayer: Int,
    expertsPerToken: Int, conversions: [String] = []
  ) {
    self.model = model
    self.checkpoint = checkpoint
    self.formats = formats
    self.cacheFormat = cacheFormat
    self.instructionSets = instructionSets
    self.threads = threads
    self.limits = limits
    self.engine = engine
    self.phases = phases
    self.ranks = ranks
    self.parametersInTotal = parametersInTotal
    self.tokensComputed = tokensComputed
    self.loadSeconds = loadSeconds
    self.expertLayers = expertLayers
    self.expertsPerLayer = expertsPerLayer
    self.expertsPerToken = expertsPerToken
    self.conversions = conversions
  }

  /// Weights that met a token, over all ranks, divided by tokens: counted from what ran.
  public var parametersPerToken: Double {
    let applied = ranks.reduce(0) { $0 + $1.parametersApplied }
    return tokensComputed == 0 ? 0 : Double(applied) / Double(tokensComputed)
  }

  /// Largest number of expert rows of a rank with experts, over their mean; 1 is perfect.
  public var loadImbalance: Double {
    let rows = ranks.filter { $0.expertsHeld > 0 }.map { Double($0.expertRows) }
    let mean = rows.reduce(0, +) / Double(max(rows.count, 1))
    return mean > 0 ? rows.max()! / mean : 1
  }
}
