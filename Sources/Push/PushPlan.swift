import Checkpoint
import ExpertParallel
import Nodes

/// Which node is to hold which bundles. Pure: knows nothing of what lies where already.
public struct PushPlan: Sendable, Equatable {
  public struct Node: Sendable, Equatable {
    /// As the hostfile has it.
    public let host: String
    /// Ranks that `mpirun` starts there, ascending.
    public let ranks: [Int]
    /// What those ranks do.
    public let roles: [String]
    /// What the ranks read, ascending.
    public let needed: [BundleName]
    /// Further copies of what other nodes read, ascending.
    public internal(set) var copies: [BundleName] = []

    public var bundles: [BundleName] { (needed + copies).sorted() }
  }

  /// In the order of the hostfile.
  public internal(set) var nodes: [Node]
  private let sizes: [BundleName: Int]

  /// - Parameters:
  ///   - copies: on how many nodes each bundle is to lie at least.
  ///   - includesPredictionLayers: whether `mtp` goes with the dense part. Nothing reads it yet.
  /// - Throws: ``PushError`` where ranks and slots, or copies and nodes, do not fit.
  public init(
    _ placement: Placement, on hostfile: Hostfile, order: RankOrder, manifest: PreparedManifest, copies: Int = 1,
    includesPredictionLayers: Bool = false
  ) throws {
    guard placement.ranks == hostfile.slots else {
      throw PushError(
        "the placement has \(placement.ranks) ranks, the hostfile \(hostfile.slots) slots",
        hint: "mpirun starts one rank for each slot: give as many slots as ranks", isUsage: true)
    }
    guard (1...hostfile.hosts.count).contains(copies) else {
      throw PushError(
        "--copies: expected 1 to \(hostfile.hosts.count), the number of nodes, found \(copies)",
        hint: "a second copy on the same node would be of no use", isUsage: true)
    }
    sizes = Dictionary(uniqueKeysWithValues: manifest.bundles.map { ($0.name, $0.bytes) })
    nodes = zip(hostfile.hosts, order.ranks(of: hostfile.hosts)).map { host, ranks in
      var needed = Set(ranks.flatMap { placement.bundles(of: $0) })
      if includesPredictionLayers, needed.contains(.dense) { needed.insert(.mtp) }
      let roles = ["coordinator", "router", "experts"].filter { role in
        ranks.contains { placement.roles(of: $0).contains(role) }
      }
      return Node(host: host.name, ranks: ranks, roles: roles, needed: needed.sorted())
    }
    let absent = Set(nodes.flatMap(\.needed)).filter { sizes[$0] == nil }
    guard absent.isEmpty else {
      throw PushError(
        "\(PreparedManifest.fileName): expected the bundles \(BundleName.list(absent.sorted())), found none",
        hint: "add them with flotilla prepare", isUsage: true)
    }
    for _ in 1..<copies { addCopies(copies) }
  }

  /// The largest bundles first, each to the node with the fewest bytes of those that lack it; of equal ones the next
  /// behind its first holder, in the order of the hostfile and round again.
  private mutating func addCopies(_ most: Int) {
    var bytes = nodes.indices.map { self.bytes(of: nodes[$0].bundles) }
    var holders: [BundleName: [Int]] = [:]
    for index in nodes.indices { for bundle in nodes[index].bundles { holders[bundle, default: []].append(index) } }
    let order = holders.keys.sorted { (sizes[$0]!, $1) > (sizes[$1]!, $0) }
    for bundle in order {
      guard let held = holders[bundle], held.count < most, let first = held.first else { continue }
      let ring = (1..<nodes.count).map { (first + $0) % nodes.count }.filter { !held.contains($0) }
      guard let chosen = ring.min(by: { bytes[$0] < bytes[$1] }) else { continue }
      nodes[chosen].copies.append(bundle)
      bytes[chosen] += sizes[bundle]!
    }
    for index in nodes.indices { nodes[index].copies.sort() }
  }

  /// Bytes of bundles of the manifest.
  public func bytes(of bundles: [BundleName]) -> Int { bundles.reduce(0) { $0 + sizes[$1]! } }

  /// Bytes of a bundle of the manifest.
  public func bytes(of bundle: BundleName) -> Int { sizes[bundle]! }
}
