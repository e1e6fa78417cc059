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
  /// Weights of the whole model, and their bytes: matrices in their run formats, the embedding as it is stored.
  public var parameters: Int
  public var weightBytes: Int
  public var instructionSet: String
  /// By rank.
  public var hosts: [String]
  public var threads: [Int]
  public var prefillChunk: Int

  public init(
    model: String, checkpoint: String, format: String, parameters: Int, weightBytes: Int,
    instructionSet: String, hosts: [String], threads: [Int], prefillChunk: Int
  ) {
    self.model = model
    self.checkpoint = checkpoint
    self.format = format
    self.parameters = parameters
    self.weightBytes = weightBytes
    self.instructionSet = instructionSet
    self.hosts = hosts
    self.threads = threads
    self.prefillChunk = prefillChunk
  }
}

/// What the calibrated machines of a run could do at most, over all hosts. Nil where a host was not calibrated with as
/// many threads.
public struct BenchLimits: Sendable, Equatable {
  public var readBytesPerSecond: Double?
  public var multiplyAddsF32PerSecond: Double?
  public var multiplyAddsInt8PerSecond: Double?

  public init(
    readBytesPerSecond: Double? = nil, multiplyAddsF32PerSecond: Double? = nil,
    multiplyAddsInt8PerSecond: Double? = nil
  ) {
    self.readBytesPerSecond = readBytesPerSecond
    self.multiplyAddsF32PerSecond = multiplyAddsF32PerSecond
    self.multiplyAddsInt8PerSecond = multiplyAddsInt8PerSecond
  }

  /// Sums over the hosts what as many threads as the run has there reached at best.
  public init(_ calibration: Calibration, _ setup: BenchSetup) {
    let ranks = Dictionary(grouping: setup.hosts.indices) { setup.hosts[$0] }
    let speeds = ranks.map { name, ranks -> BenchLimits? in
      // One machine against one: containers change their names at every start.
      let isOnly = ranks.count == setup.hosts.count && calibration.hosts.count == 1
      guard let host = calibration.hosts.first(where: { $0.name == name || isOnly }) else { return nil }
      let threads = ranks.reduce(0) { $0 + setup.threads[$1] }
      return BenchLimits(
        readBytesPerSecond: Self.read(host, ranks: ranks.count, threads: threads),
        multiplyAddsF32PerSecond: Self.speed(host.multiplyAddsF32PerSecond, threads: threads),
        multiplyAddsInt8PerSecond: Self.speed(host.multiplyAddsInt8PerSecond, threads: threads))
    }
    func sum(_ speed: KeyPath<BenchLimits, Double?>) -> Double? {
      speeds.reduce(0) { sum, host in sum.flatMap { sum in host?[keyPath: speed].map { sum + $0 } } }
    }
    self.init(
      readBytesPerSecond: sum(\.readBytesPerSecond), multiplyAddsF32PerSecond: sum(\.multiplyAddsF32PerSecond),
      multiplyAddsInt8PerSecond: sum(\.multiplyAddsInt8PerSecond))
  }

  private static func read(_ host: Calibration.Host, ranks: Int, threads: Int) -> Double? {
    let alone = speed(host.readBytesPerSecond, threads: threads)
    guard let shared = host.readByAllRanks, shared.ranks == ranks, shared.ranks * shared.threadsPerRank == threads
    else { return alone }
    return shared.best
  }

  /// Between two numbers of threads that were measured the limit is that of the larger one; beyond them nobody knows.
  private static func speed(_ speeds: [Calibration.ThreadSpeed], threads: Int) -> Double? {
    guard speeds.contains(where: { $0.threads <= threads }) else { return nil }
    return speeds.filter { $0.threads >= threads }.min { $0.threads < $1.threads }?.best
  }

  /// What the multiply-adds of a test could reach, each kind at its own peak, one after the other.
  public func multiplyAddsPerSecond(of result: BenchResult) -> Double? {
    let integers = result.integerMultiplyAdds
    var seconds = 0.0
    for (work, peak) in [
      (integers, multiplyAddsInt8PerSecond), (result.multiplyAdds - integers, multiplyAddsF32PerSecond),
    ] where work > 0 {
      guard let peak else { return nil }
      seconds += Double(work) / peak
    }
    return seconds > 0 ? Double(result.multiplyAdds) / seconds : nil
  }
}

extension RunSession {
  /// What a bench of this session runs on. Coordinator only.
  public var benchSetup: BenchSetup {
    BenchSetup(
      model: options.model.lastPathComponent, checkpoint: checkpoint.fingerprint, format: formats.description,
      parameters: parametersInTotal, weightBytes: weightBytes, instructionSet: compute.kernels.instructionSet.rawValue,
      hosts: (0..<fleet.rankCount).map { fleet.exchange.hostName(of: $0) }, threads: threadsByRank,
      prefillChunk: limits.prefillChunk)
  }

  /// Each weight once, as `parametersInTotal` counts it.
  var weightBytes: Int {
    let embedding = configuration.tiesEmbeddings ? 0 : checkpoint.storedBytes(ParameterNames.embedding)
    return WeightSizes(configuration, formats).eachOnce + embedding
  }
}
