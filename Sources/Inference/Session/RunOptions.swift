import Checkpoint
import DeepSeek
import Foundation
import Kernels

/// What a run is asked to do. Every rank gets the same.
public struct RunOptions: Sendable {
  /// Folder of the checkpoint.
  public var model: URL
  /// Runs in place of the model's weights.
  public var phantom: PhantomModel?
  /// Experts are chosen as it says, whatever the gates say.
  public var replay: RoutingRecord?
  /// Run formats of the weights, as `WeightFormats` reads them; "auto": bf16 for bf16 checkpoints, else f32.
  public var formats = "auto"
  /// Types of a GGUF file that no run format holds run in the nearest one.
  public var requantizes = false
  /// How caches hold latents; nil: as fits the weights.
  public var cacheFormat: CacheFormat?
  /// Compute threads of a rank; nil: the cores of the host, divided among its ranks.
  public var threads: Int?
  /// Most tokens of a sequence; nil: what fits, at most what the model allows.
  public var contextSize: Int?
  /// The options that give the context size, for messages: "-p, -n"; nil: `--ctx-size`.
  public var contextOptions: String?
  /// Tokens that a sequence may have beyond those: they are chosen but never read, so they need no position.
  public var unreadTokens = 0
  /// Most prompt tokens of a step.
  public var prefillChunk = 512
  /// Parts that a prompt chunk is cut into where experts live on other ranks.
  public var microBatches = 2
  /// Most sequences at once.
  public var parallel = 16
  /// A placement file; nil: contiguous shards on all ranks.
  public var placement: URL?
  /// Routed experts (of every layer) on the coordinator, the others share the rest; nil: as many as balance its own
  /// work while it reads a prompt. Not with a placement file.
  public var coordinatorExperts: Int?
  /// Which ranks compute rows of the dense part too; nil: as the placement file says, or those on the coordinator's host.
  public var denseSlices: DenseSlicing?
  /// Nil: as the placement file says, or rank 0.
  public var coordinatorRank: Int?
  /// Nil: as the placement file says, or rank 1 where there are two or more.
  public var routerRank: Int?
  /// Throws where the model that was opened is not the one that is wanted; asked before anything is loaded.
  public var accept: (@Sendable (Checkpoint, WeightFormats) throws -> Void)?
  /// What is done with the files of a prepared model first.
  public var checks: PreparedChecks = []
  /// Whether a prepared model's weights are copied into huge pages.
  public var hugePages = HugePages.auto
  /// Silence after which a rank is lost.
  public var timeout: Duration = Fleet.defaultTimeout
  /// Version of the program, which all ranks must share.
  public var version: String

  public init(model: URL, version: String) {
    self.model = model
    self.version = version
  }
}
