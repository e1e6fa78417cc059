import Checkpoint
import DeepSeek
import ExpertParallel
import Inference
import Kernels

/// A model's shape in the formats it runs in, as work for ranks and bytes for messages. All layers with experts count as
/// equal: their average.
public struct ModelCosts: Sendable {
  public let configuration: ModelConfiguration
  public let formats: WeightFormats
  public let cacheFormat: CacheFormat
  /// Bytes to hold, in all.
  public let sizes: WeightSizes
  /// Layers with routed experts.
  public let expertLayers: Int
  public var denseLayers: Int { configuration.layers - expertLayers }
  /// Attention of one layer without `kv_b_proj`; what generated positions take of that; what prompt positions take.
  public private(set) var attention = Work()
  public private(set) var absorbed = Work()
  public private(set) var expanded = Work()
  /// Feed-forwards of all dense layers.
  public private(set) var dense = Work()
  /// One layer's shared experts.
  public private(set) var shared = Work()
  /// One routed expert of one layer.
  public private(set) var expert = Work()
  /// One layer's gate.
  public private(set) var gate = Work()
  public private(set) var head = Work()
  /// What of these ranks may divide: of one layer's attention, of all dense layers, of the head.
  public private(set) var divisibleAttention = DivisibleWork()
  public private(set) var divisibleDense = DivisibleWork()
  public private(set) var divisibleHead = DivisibleWork()

  public init(_ configuration: ModelConfiguration, _ formats: WeightFormats, cacheFormat: CacheFormat? = nil) {
    self.configuration = configuration
    self.formats = formats
    self.cacheFormat = cacheFormat ?? .automatic(for: formats)
    sizes = WeightSizes(configuration, formats)
    expertLayers = configuration.moeLayers.count
    var sums: [HeldMatrix.Kind: Work] = [:]
    var divisible: [HeldMatrix.Kind: DivisibleWork] = [:]
    HeldMatrix.forEach(configuration, formats) { matrix in
      var kind = matrix.kind
      if case .expert = kind { kind = .expert(0) }
      sums[kind, default: Work()] += Work(matrix)
      if matrix.isDivisible { divisible[kind, default: DivisibleWork()].add(matrix) }
    }
    divisibleAttention = (divisible[.attention] ?? DivisibleWork()) * (1 / Double(max(configuration.layers, 1)))
    divisibleDense = divisible[.dense] ?? DivisibleWork()
    divisibleHead = divisible[.head] ?? DivisibleWork()
    divisibleAttention.work = divisibleAttention.work.ofSingleProducts
    divisibleHead.work = divisibleHead.work.ofSingleProducts
    func mean(_ kind: HeldMatrix.Kind, over count: Int) -> Work { (sums[kind] ?? Work()) * (1 / Double(max(count, 1))) }
    let layers = configuration.layers
    attention = mean(.attention, over: layers).ofSingleProducts
    // A job for all heads.
    absorbed = mean(.keysTransposed, over: layers).withJobs(2) + mean(.values, over: layers).withJobs(1)
    expanded = mean(.keys, over: layers).withJobs(1) + mean(.values, over: layers).withJobs(1)
    dense = sums[.dense] ?? Work()
    shared = mean(.shared, over: expertLayers).withJobs(2)
    expert = mean(.expert(0), over: expertLayers * configuration.routedExperts).withJobs(0)
    gate = mean(.gate, over: expertLayers).ofSingleProducts
    head = (sums[.head] ?? Work()).ofSingleProducts
    let elements = ElementCounts(self)
    (attention.elements, absorbed.tiledElements) = (elements.attention, elements.absorbed)
    (expanded.elements, expanded.tiledElements) = (elements.expanded, elements.finished)
    (dense.elements, dense.tiledElements) = (elements.dense, elements.denseMiddle)
    (shared.elements, shared.tiledElements) = (elements.shared, elements.sharedMiddle)
    expert.tiledElements = elements.expert
    (gate.elements, head.elements) = (elements.gate, elements.head)
  }

  // MARK: - The cache

  /// Of one position of a sequence in one layer.
  public var cacheBytesPerLayer: Double {
    let bytes = LatentCache.bytesPerPosition(
      layers: configuration.layers, latentRank: configuration.latentRank, rotarySize: configuration.ropeDimension,
      format: cacheFormat)
    return Double(bytes) / Double(configuration.layers)
  }

  /// f32 multiply-adds of a generated position with one position of the cache: scores over latent and rotary key,
  /// values that are latents.
  public var absorbedMultiplyAdds: Double {
    Double(configuration.heads * (2 * configuration.latentRank + configuration.ropeDimension))
  }

  /// The same of a prompt's position, whose keys and values are expanded.
  public var expandedMultiplyAdds: Double {
    Double(configuration.heads * (configuration.headDimension + configuration.valueDimension))
  }

  // MARK: - Messages

  /// A token's row as the coordinator sends and gets it, f32.
  public var rowBytes: Double { Double(configuration.hidden * 4) }

  /// A token on its way to a host: its row as the experts read it, experts and weights.
  public var dispatchBytes: Double {
    let encoding = formats.dispatchEncoding(hidden: configuration.hidden)
    return Double(encoding.rowBytes(columns: configuration.hidden) + 8 + 6 * configuration.expertsPerToken)
  }

  /// Header and padding of a message.
  public static let headerBytes = 64.0

  /// Everything that one generated token reads and computes, wherever it is: what one machine would do.
  public var active: Work {
    let layers = Double(configuration.layers)
    let routed = expert * Double(configuration.expertsPerToken) + gate + shared
    return (attention + absorbed) * layers + dense + head + routed * Double(expertLayers)
  }

  /// Bytes of the largest expert, all layers.
  public var largestExpertBytes: Int { sizes.experts.max() ?? 0 }
}

extension Work {
  init(_ matrix: HeldMatrix) {
    self.init(jobs: 1)
    weights[matrix.format] = Double(matrix.bytes)
    multiplyAdds[matrix.format] = Double(matrix.weights)
    outputs[matrix.format] = Double(matrix.count * matrix.rows)
  }

  /// Each job is a product of one matrix.
  fileprivate var ofSingleProducts: Work {
    var work = self
    (work.single, work.singleJobs) = (multiplyAdds, jobs)
    return work
  }

  fileprivate func withJobs(_ count: Double) -> Work {
    var work = self
    work.jobs = count
    return work
  }
}
