import ExpertParallel

/// A placement for the routing that was recorded, with as many experts on each rank as another one has, so that it
/// needs the same memory: what a token waits for, the rank that has most of its experts, has fewer. Ranks that divide the
/// dense part are the same. Tokens may reach more ranks with it, which costs prompts time.
public struct PlacementImprovement: Sendable {
  public let placement: Placement
  /// Exchanges of two experts that were tried, and that helped.
  public let tried: Int
  public let taken: Int

  /// - Parameters:
  ///   - tries: exchanges to try.
  ///   - seed: the same seed gives the same placement.
  public init(of placement: Placement, _ sample: RoutingSample, tries: Int = 20_000, seed: UInt64 = 1) throws {
    var search = ExchangeSearch(placement, sample)
    var generator = SplitMix(state: seed)
    var taken = 0
    for _ in 0..<tries where placement.hosts.count > 1 {
      if search.tryExchange(&generator) { taken += 1 }
    }
    let improved = try Placement(
      owners: search.owners, ranks: placement.ranks, coordinator: placement.coordinator, router: placement.router)
    self.placement = placement.decidesSlices ? try improved.dividing(among: placement.slices) : improved
    (tried, self.taken) = (placement.hosts.count > 1 ? tries : 0, taken)
  }
}

/// Hill climbing over exchanges of two experts of different ranks. Its measure is the sum over visits of the squares of
/// each rank's experts: the smaller, the more even, with no plateau where a maximum has ties.
private struct ExchangeSearch {
  private(set) var owners: [Int]
  private let k: Int
  private let experts: [UInt16]
  private let ranks: Int
  /// Visits of each expert.
  private let visits: [[Int32]]
  /// `[visits, ranks]`
  private var load: [Int32]

  init(_ placement: Placement, _ sample: RoutingSample) {
    (owners, ranks, k, experts) = (placement.owners, placement.ranks, sample.expertsPerToken, sample.experts)
    var visits = [[Int32]](repeating: [], count: placement.experts)
    load = [Int32](repeating: 0, count: sample.tokens * placement.ranks)
    for visit in 0..<sample.tokens {
      for expert in sample.experts[visit * k..<(visit + 1) * k] {
        visits[Int(expert)].append(Int32(visit))
        load[visit * ranks + owners[Int(expert)]] += 1
      }
    }
    self.visits = visits
  }

  /// - Returns: whether it was taken.
  mutating func tryExchange(_ generator: inout SplitMix) -> Bool {
    let first = Int.random(in: owners.indices, using: &generator)
    let second = Int.random(in: owners.indices, using: &generator)
    let (a, b) = (owners[first], owners[second])
    guard a != b else { return false }
    let gain = move(first, from: a, to: b) + move(second, from: b, to: a)
    guard gain < 0 else {
      _ = move(first, from: b, to: a)
      _ = move(second, from: a, to: b)
      return false
    }
    (owners[first], owners[second]) = (b, a)
    return true
  }

  /// - Returns: by how much the measure grows.
  private mutating func move(_ expert: Int, from: Int, to: Int) -> Int {
    var gain = 0
    for visit in visits[expert] {
      let (source, target) = (Int(visit) * ranks + from, Int(visit) * ranks + to)
      gain += 2 * Int(load[target] - load[source]) + 2
      load[source] -= 1
      load[target] += 1
    }
    return gain
  }
}
