import Checkpoint
import ExpertParallel
import Kernels

/// What a bench ran on: the same for all of its tests.
public struct BenchSetup: Sendable, Equatable {
  /// Name of the model's folder.
  public var model: String
  /// SHA-256 of configuration and headers.
  public var checkpoint: String
  public var format: String
  /// Whether its products are of integers, not of f32.
  public var isInteger: Bool
  /// Weights of the whole model, and their bytes: matrices in their run formats, the embedding as it is stored.
  public var parameters: Int
  public var weightBytes: Int
  public var instructionSet: String
  /// By rank.
  public var hosts: [String]
  public var threads: [Int]
  public var prefillChunk: Int

  public init(
    model: String, checkpoint: String, format: String, isInteger: Bool, parameters: Int, weightBytes: Int,
    instructionSet: String, hosts: [String], threads: [Int], prefillChunk: Int
  ) {
    self.model = model
    self.checkpoint = checkpoint
    self.format = format
    self.isInteger = isInteger
    self.parameters = parameters
    self.weightBytes = weightBytes
    self.instructionSet = instructionSet
    self.hosts = hosts
    self.threads = threads
    self.prefillChunk = prefillChunk
  }
}

/// What the calibrated machines of a run could do at most, over all hosts. Nil where a host was not calibrated.
public struct BenchLimits: Sendable, Equatable {
  public var readBytesPerSecond: Double?
  /// In the arithmetic of the run format.
  public var multiplyAddsPerSecond: Double?

  public init(readBytesPerSecond: Double? = nil, multiplyAddsPerSecond: Double? = nil) {
    self.readBytesPerSecond = readBytesPerSecond
    self.multiplyAddsPerSecond = multiplyAddsPerSecond
  }

  /// Sums over the hosts what as many threads as the run has there reached at best.
  public init(_ calibration: Calibration, _ setup: BenchSetup) {
    let ranks = Dictionary(grouping: setup.hosts.indices) { setup.hosts[$0] }
    var (read, arithmetic): (Double?, Double?) = (0, 0)
    for (name, ranks) in ranks {
      // One machine against one: containers change their names at every start.
      let isOnly = ranks.count == setup.hosts.count && calibration.hosts.count == 1
      guard let host = calibration.hosts.first(where: { $0.name == name || isOnly }) else {
        (read, arithmetic) = (nil, nil)
        break
      }
      let threads = ranks.reduce(0) { $0 + setup.threads[$1] }
      read = read.flatMap { sum in Self.read(host, ranks: ranks.count, threads: threads).map { sum + $0 } }
      let peaks = setup.isInteger ? host.multiplyAddsInt8PerSecond : host.multiplyAddsF32PerSecond
      arithmetic = arithmetic.flatMap { sum in Self.speed(peaks, threads: threads).map { sum + $0 } }
    }
    self.init(readBytesPerSecond: read, multiplyAddsPerSecond: arithmetic)
  }

  private static func read(_ host: Calibration.Host, ranks: Int, threads: Int) -> Double? {
    let alone = speed(host.readBytesPerSecond, threads: threads)
    guard let shared = host.readByAllRanks, shared.ranks == ranks, shared.ranks * shared.threadsPerRank == threads
    else { return alone }
    return shared.best
  }

  /// Of the largest number of threads that is not more than asked for.
  private static func speed(_ speeds: [Calibration.ThreadSpeed], threads: Int) -> Double? {
    speeds.filter { $0.threads <= threads }.max { $0.threads < $1.threads }?.best
  }
}

extension RunSession {
  /// What a bench of this session runs on. Coordinator only.
  public var benchSetup: BenchSetup {
    BenchSetup(
      model: options.model.lastPathComponent, checkpoint: checkpoint.fingerprint, format: formats.description,
      isInteger: formats.dispatchEncoding(hidden: configuration.hidden) == .q8, parameters: parametersInTotal,
      weightBytes: weightBytes, instructionSet: compute.kernels.instructionSet.rawValue,
      hosts: (0..<fleet.rankCount).map { fleet.exchange.hostName(of: $0) }, threads: threadsByRank,
      prefillChunk: limits.prefillChunk)
  }

  /// Each weight once, as `parametersInTotal` counts it.
  private var weightBytes: Int {
    let embedding = configuration.tiesEmbeddings ? 0 : checkpoint.storedBytes(ParameterNames.embedding)
    return WeightSizes(configuration, formats).eachOnce + embedding
  }
}
