import ExpertParallel

/// What the ranks of a placement have to do for a batch of tokens in one layer.
struct HostLoads {
  /// `[ranks]`: tokens that reach a rank.
  private(set) var tokens: [Int]
  /// `[ranks]`: distinct experts that run there; each reads its weights once.
  private(set) var experts: [Int]
  /// `[ranks]`: rows over all experts.
  private(set) var pairs: [Int]
  /// `[ranks, row classes]`: the same, by how many rows their expert gets.
  private var classes: [Int]
  /// `[ranks]`: partial sums that come back.
  private(set) var sums: [Int]
  /// Ranks that tokens reach, ascending.
  private(set) var reached: [Int] = []
  private var rowsOfExpert: [Int]
  private var lastToken: [Int]

  init(ranks: Int, experts: Int) {
    tokens = [Int](repeating: 0, count: ranks)
    self.experts = tokens
    pairs = tokens
    sums = tokens
    lastToken = [Int](repeating: -1, count: ranks)
    classes = [Int](repeating: 0, count: ranks * RankSpeed.rowClasses)
    rowsOfExpert = [Int](repeating: 0, count: experts)
  }

  /// A rank's rows by how many of them an expert gets, as ``RankSpeed/rowClass(_:)`` numbers that.
  func rowsByClass(_ rank: Int) -> ArraySlice<Int> {
    classes[rank * RankSpeed.rowClasses..<(rank + 1) * RankSpeed.rowClasses]
  }

  /// Counts anew.
  ///
  /// - Parameter range: of the sample's tokens; behind its last comes its first again.
  mutating func fill(_ sample: RoutingSample, _ range: Range<Int>, _ placement: Placement) {
    let owners = placement.owners
    // Of many ranks a token reaches few.
    for rank in reached {
      (tokens[rank], experts[rank], pairs[rank], sums[rank], lastToken[rank]) = (0, 0, 0, 0, -1)
      for row in 0..<RankSpeed.rowClasses { classes[rank * RankSpeed.rowClasses + row] = 0 }
    }
    reached.removeAll(keepingCapacity: true)
    for expert in rowsOfExpert.indices { rowsOfExpert[expert] = 0 }
    let tree = SummationTree(experts: placement.experts)
    let k = sample.expertsPerToken
    sample.experts.withUnsafeBufferPointer { chosen in
      for token in range {
        let place = token % sample.tokens * k
        let ids = UnsafeBufferPointer(rebasing: chosen[place..<place + k])
        for id in ids {
          rowsOfExpert[Int(id)] += 1
          let owner = owners[Int(id)]
          if lastToken[owner] != token {
            if tokens[owner] == 0 { reached.append(owner) }
            lastToken[owner] = token
            tokens[owner] += 1
          }
        }
        tree.subtrees(of: ids, owner: { owners[Int(ids[$0])] }) { owner, _ in sums[owner] += 1 }
      }
    }
    reached.sort()
    for (expert, rows) in rowsOfExpert.enumerated() where rows > 0 {
      let owner = owners[expert]
      experts[owner] += 1
      pairs[owner] += rows
      classes[owner * RankSpeed.rowClasses + RankSpeed.rowClass(rows)] += rows
    }
  }
}

/// Means over a sample, token by token: what a placement does to one token.
public struct PlacementLoad: Sendable, Equatable {
  /// Of a token's experts, those on the rank that has most of them.
  public let busiest: Double
  /// Ranks that a token reaches.
  public let hosts: Double
  /// Partial sums that come back to the coordinator from other ranks.
  public let sums: Double

  public init(_ placement: Placement, _ sample: RoutingSample) {
    var loads = HostLoads(ranks: placement.ranks, experts: placement.experts)
    var (busiest, hosts, sums) = (0, 0, 0)
    for token in 0..<sample.tokens {
      loads.fill(sample, token..<token + 1, placement)
      busiest += loads.reached.reduce(0) { max($0, loads.pairs[$1]) }
      hosts += loads.reached.reduce(0) { $0 + loads.tokens[$1] }
      sums += loads.reached.reduce(0) { $0 + loads.sums[$1] } - loads.sums[placement.coordinator]
    }
    let count = Double(max(sample.tokens, 1))
    self.busiest = Double(busiest) / count
    self.hosts = Double(hosts) / count
    self.sums = Double(sums) / count
  }
}
