import DeepSeek

/// Which rank does what: where each routed expert lives (the same for all layers), who assembles the layers'
/// output, who routes. A value; the maths never asks for a rank.
public struct Placement: Sendable, Equatable {
  public let ranks: Int
  /// The rank that assembles every layer's output.
  public let coordinator: Int
  /// The rank that holds the gates and sends tokens to the hosts.
  public let router: Int
  /// `[experts]`: the rank that hosts each expert.
  public let owners: [Int]
  /// The ranks that compute rows of the dense part for the coordinator, ascending, without it.
  public private(set) var slices: [Int] = []
  /// Whether ``slices`` were chosen, be it none; else a run chooses.
  public private(set) var decidesSlices = false

  public static let mostExperts = 1 << 16
  public static let mostRanks = 1 << 16

  /// - Parameter router: nil means rank 1 where there are two or more, else the coordinator's rank.
  /// - Throws: where a role or an expert is given to a rank that does not exist.
  public init(owners: [Int], ranks: Int, coordinator: Int = 0, router: Int? = nil) throws(PlacementError) {
    let router = router ?? (ranks > 1 ? 1 : 0)
    try Self.check(ranks, in: 1...Self.mostRanks, field: "ranks")
    try Self.check(owners.count, in: 1...Self.mostExperts, field: "experts")
    try Self.check(coordinator, in: 0...ranks - 1, field: "coordinator")
    try Self.check(router, in: 0...ranks - 1, field: "router")
    for (expert, owner) in owners.enumerated() {
      try Self.check(owner, in: 0...ranks - 1, field: "owner of expert \(expert)")
    }
    self.owners = owners
    self.ranks = ranks
    self.coordinator = coordinator
    self.router = router
  }

  /// Neighbouring experts share a host, so that few partial sums travel. Shards differ by at most one expert;
  /// with more ranks than experts the last ones hold none.
  public static func contiguous(
    experts: Int, ranks: Int, coordinator: Int = 0, router: Int? = nil
  ) throws(PlacementError) -> Placement {
    try check(ranks, in: 1...mostRanks, field: "ranks")
    try check(experts, in: 1...mostExperts, field: "experts")
    let (share, larger) = experts.quotientAndRemainder(dividingBy: ranks)
    var owners: [Int] = []
    for rank in 0..<ranks {
      owners += repeatElement(rank, count: share + (rank < larger ? 1 : 0))
    }
    return try Placement(owners: owners, ranks: ranks, coordinator: coordinator, router: router)
  }

  /// Expert e lives on rank e mod ranks: the hot experts of a routing group spread out, at the price of more
  /// partial sums.
  public static func striped(
    experts: Int, ranks: Int, coordinator: Int = 0, router: Int? = nil
  ) throws(PlacementError) -> Placement {
    try check(ranks, in: 1...mostRanks, field: "ranks")
    try check(experts, in: 1...mostExperts, field: "experts")
    return try Placement(
      owners: (0..<experts).map { $0 % ranks }, ranks: ranks, coordinator: coordinator, router: router)
  }

  public var experts: Int { owners.count }

  /// The same with other ranks that compute rows of the dense part; the coordinator among them counts for nothing.
  public func dividing(among ranks: some Sequence<Int>) throws(PlacementError) -> Placement {
    var placement = self
    placement.decidesSlices = true
    placement.slices = Set(ranks).subtracting([coordinator]).sorted()
    for rank in placement.slices { try Self.check(rank, in: 0...self.ranks - 1, field: "slices") }
    return placement
  }

  /// What a rank computes of the dense part's products where they are divided; nil where it has no part in that.
  public func share(of rank: Int) -> SliceShare? {
    guard !slices.isEmpty else { return nil }
    if rank == coordinator { return share(at: 0) }
    return slices.firstIndex(of: rank).map { share(at: $0 + 1) }
  }

  /// The coordinator's at 0, behind it those of ``slices``.
  func share(at place: Int) -> SliceShare { SliceShare(index: place, count: slices.count + 1) }

  /// The experts of a rank, ascending.
  public func experts(of rank: Int) -> [Int] { owners.indices.filter { owners[$0] == rank } }

  /// The ranks that hold experts, ascending.
  public var hosts: [Int] { Set(owners).sorted() }

  /// What a rank does, for people and reports.
  public func roles(of rank: Int) -> [String] {
    var roles: [String] = []
    if rank == coordinator { roles.append("coordinator") }
    if rank == router { roles.append("router") }
    if owners.contains(rank) { roles.append("experts") }
    if slices.contains(rank) { roles.append("slices") }
    return roles
  }

  private static func check(
    _ value: Int, in range: ClosedRange<Int>, field: String
  ) throws(PlacementError) {
    guard !range.contains(value) else { return }
    throw PlacementError(
      field: field, expected: "\(range.lowerBound) to \(range.upperBound)", found: "\(value)",
      hint: "the number of ranks is what mpirun -n was given")
  }
}

/// A placement that does not fit the model, the run, or itself.
public struct PlacementError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The file it came from; empty where it came from options.
  public var file = ""
  public var field: String
  public var expected: String
  public var found: String
  public var hint: String

  public var description: String {
    "placement\(file.isEmpty ? "" : " \(file)"): \(field): expected \(expected), found \(found)"
      + (hint.isEmpty ? "" : " (\(hint))")
  }
}
