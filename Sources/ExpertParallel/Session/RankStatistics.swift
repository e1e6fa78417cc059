import Kernels

/// What one rank has done since it started.
public struct RankStatistics: Codable, Sendable, Equatable {
  public var rank: Int
  public var host: String
  /// "coordinator", "router", "experts", "slices".
  public var roles: [String]
  /// Routed experts of a layer that live here.
  public var expertsHeld = 0
  /// The same of all layers, counted in what was loaded.
  public var expertPairsHeld = 0
  /// Distinct expert ids that have run in any layer.
  public var expertsActivated = 0
  /// Distinct (layer, expert) pairs that have run.
  public var expertPairsActivated = 0
  /// Rows that went through experts.
  public var expertRows = 0
  /// Parameters multiplied with, counted once for each row.
  public var parametersApplied = 0
  /// Of those, the ones in products of integers.
  public var integerParametersApplied = 0
  /// Bytes of the matrices multiplied with, once for each product: of the experts, those that ran.
  public var weightBytesRead = 0
  /// Seconds in this rank's roles.
  public var busySeconds = 0.0
  /// Seconds without anything to do.
  public var waitSeconds = 0.0
  /// Seconds in experts, with gathering and adding up.
  public var expertSeconds = 0.0
  public var gateSeconds = 0.0
  /// Seconds in rows of the dense part, for the coordinator.
  public var sliceSeconds = 0.0
  /// Seconds sending tokens.
  public var dispatchSeconds = 0.0
  /// Seconds checking and adding partial sums (coordinator).
  public var combineSeconds = 0.0
  public var traffic = Traffic()
  public var residentBytes = 0
  /// Bytes of files that came from storage, not from the page cache; nil where the system does not tell.
  public var storageBytesRead: Int?
  /// What it did last, by this rank's clock.
  public var timeline: [Timeline.Piece] = []
  /// Of this rank when it was asked, in seconds.
  public var clock = 0.0

  public init(rank: Int, host: String, roles: [String]) {
    self.rank = rank
    self.host = host
    self.roles = roles
  }
}

/// What the roles cannot count themselves.
public struct Probes {
  /// Rows times parameters of everything this rank multiplied with.
  public var parametersApplied: () -> Int
  /// Of those, the ones in products of integers.
  public var integerParametersApplied: () -> Int
  /// Bytes of those parameters, once for each product.
  public var weightBytesRead: () -> Int
  public var residentBytes: () -> Int
  public var storageBytesRead: () -> Int?

  public init(
    parametersApplied: @escaping () -> Int = { 0 }, integerParametersApplied: @escaping () -> Int = { 0 },
    weightBytesRead: @escaping () -> Int = { 0 }, residentBytes: @escaping () -> Int = { 0 },
    storageBytesRead: @escaping () -> Int? = { nil }
  ) {
    self.parametersApplied = parametersApplied
    self.integerParametersApplied = integerParametersApplied
    self.weightBytesRead = weightBytesRead
    self.residentBytes = residentBytes
    self.storageBytesRead = storageBytesRead
  }
}
