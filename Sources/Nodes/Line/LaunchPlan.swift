/// Where the ranks of a job run and how they are started.
public struct LaunchPlan: Sendable, Equatable {
  public enum Place: Sendable, Equatable {
    /// This machine only, so many ranks.
    case here(ranks: Int)
    /// These hosts, with so many ranks each as they have slots; in the order of ``Hostfile/hosts``, which both
    /// versions of `mpirun` keep.
    case hosts([Hostfile.Host])
    /// Where a batch system says; its launcher knows the nodes.
    case allocation
  }

  public var place: Place
  /// Fewer ranks than there are slots; nil: all.
  public var ranks: Int?
  public var order: RankOrder = .node
  /// An IPv4 range in which the nodes reach each other, as "10.0.0.0/24"; nil: MPI decides.
  public var network: String?
  /// The command in place of ssh; nil: ssh.
  public var remoteShell: String?
  /// Further words for mpirun, before the program.
  public var extra: [String] = []
  /// Processors of this machine, or of the smallest node where that is known.
  public var processors: Int?
  public var isRoot = false
  /// Environment variables that the ranks get from here.
  public var variables: [String] = []

  public init(place: Place) { self.place = place }

  /// Whether ranks run on other machines.
  public var isDistributed: Bool {
    switch place {
    case .here: false
    case .hosts(let hosts): hosts.count > 1 || hosts.contains { !Self.isThisMachine($0.name) }
    case .allocation: true
    }
  }

  /// Ranks of the node that has most; nil where nobody knows.
  var mostRanksOnNode: Int? {
    switch place {
    case .here(let ranks): ranks
    case .hosts(let hosts): hosts.map(\.slots).max()
    case .allocation: nil
    }
  }

  static func isThisMachine(_ name: String) -> Bool { LocalHost.current.isNamed(name) }
}
