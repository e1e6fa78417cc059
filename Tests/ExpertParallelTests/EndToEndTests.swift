import DeepSeek
import ExpertParallel
import Kernels
import Testing

@Suite struct EndToEndTests {
  /// A shape, a placement and where the roles are, all at random.
  static func fleet(_ random: inout SplitMix64, seed: UInt64?) throws -> Fleet {
    let experts = Int.random(in: 1...64, using: &random)
    let ranks = Int.random(in: 1...8, using: &random)
    let coordinator = Int.random(in: 0..<ranks, using: &random)
    let router = Int.random(in: 0..<ranks, using: &random)
    let placement: Placement
    switch Int.random(in: 0..<4, using: &random) {
    case 0:
      placement = try .contiguous(experts: experts, ranks: ranks, coordinator: coordinator, router: router)
    case 1:
      placement = try .striped(experts: experts, ranks: ranks, coordinator: coordinator, router: router)
    default:
      let few = Int.random(in: 1...ranks, using: &random)
      let owners = (0..<experts).map { _ in Int.random(in: 0..<few, using: &random) }
      placement = try Placement(owners: owners, ranks: ranks, coordinator: coordinator, router: router)
    }
    let shape = WireShape(
      hidden: Int.random(in: 1...24, using: &random), experts: experts,
      expertsPerToken: Int.random(in: 1...min(8, experts), using: &random), layers: 5, ranks: ranks,
      maxMessageBytes: [0, 1000, 1 << 20].randomElement(using: &random)!,
      epoch: UInt32.random(in: 0...9, using: &random))
    return Fleet(
      shape: shape, placement: placement, seed: seed)
  }

  @Test(arguments: 0..<4)
  func anyPlacementGivesTheBitsOfOnePlace(part: UInt64) throws {
    for seed in part * 300..<(part + 1) * 300 {
      var random = SplitMix64(seed)
      let fleet = try Self.fleet(&random, seed: seed % 10 == 0 ? nil : seed)
      fleet.fabric.wantsLogits = seed % 3 == 0
      for layer in 1...2 {
        let tokens = randomTokens(Int.random(in: 1...40, using: &random), fleet.shape.hidden, &random)
        let sums = try fleet.run(tokens, layer: layer)
        #expect(fleet.equals(sums, tokens, layer: layer), "seed \(seed)")
        #expect(fleet.fabric.routing.tokens == tokens.count)
        let logits = fleet.fabric.wantsLogits ? tokens.count * fleet.shape.experts : 0
        #expect(fleet.fabric.routing.logits.count == logits)
      }
    }
  }

  @Test func severalTicketsAreUnderWayAndCombinedInAnyOrder() throws {
    for seed in 0..<100 as Range<UInt64> {
      var random = SplitMix64(seed)
      let fleet = try Self.fleet(&random, seed: seed)
      let batches = [7, 3, 11].map { randomTokens($0, fleet.shape.hidden, &random) }
      let first = try fleet.dispatch(batches[0], layer: 1)
      let second = try fleet.dispatch(batches[1], layer: 2)
      #expect(fleet.equals(try fleet.combine(second), batches[1], layer: 2))
      let third = try fleet.dispatch(batches[2], layer: 1)
      #expect(fleet.equals(try fleet.combine(third), batches[2], layer: 1))
      #expect(fleet.equals(try fleet.combine(first), batches[0], layer: 1))
    }
  }

  @Test func noTokensNoMessages() throws {
    let shape = WireShape(hidden: 4, experts: 8, expertsPerToken: 2, layers: 3, ranks: 3)
    let fleet = Fleet(shape: shape, placement: try .contiguous(experts: 8, ranks: 3))
    #expect(try fleet.run([], layer: 1).isEmpty)
    #expect(fleet.nodes.allSatisfy { $0.exchange.traffic == Traffic(ranks: fleet.nodes.count) })
  }

  /// A host's rows of one expert go through it together.
  @Test func eachAskedExpertRunsOnceOverAllItsRows() throws {
    var random = SplitMix64(1)
    let shape = WireShape(hidden: 6, experts: 12, expertsPerToken: 3, layers: 3, ranks: 4)
    let fleet = Fleet(shape: shape, placement: try .striped(experts: 12, ranks: 4))
    _ = try fleet.run(randomTokens(40, 6, &random), layer: 1)
    var rows: [Int: Int] = [:]
    for id in fleet.fabric.routing.experts { rows[Int(id), default: 0] += 1 }
    let calls = fleet.shards.flatMap(\.calls)
    #expect(
      calls.sorted { $0.expert < $1.expert }
        == rows.sorted { $0.key < $1.key }.map { FakeShard.Call(expert: $0.key, layer: 1, rows: $0.value) })
  }

  @Test func contiguousHostsAnswerWithFewRows() throws {
    var random = SplitMix64(1)
    let shape = WireShape(hidden: 64, experts: 64, expertsPerToken: 8, layers: 2, ranks: 4)
    let fleet = Fleet(
      shape: shape, placement: try .contiguous(experts: 64, ranks: 4, coordinator: 0, router: 0))
    _ = try fleet.run(randomTokens(40, 64, &random), layer: 1)
    let received = fleet.nodes[0].exchange.traffic
    #expect(received.messagesReceived == 3)
    // At most one row a token and host: experts are in aligned blocks of 16.
    #expect(received.bytesReceived <= 3 * (40 * (64 * 4 + 8) + 128))
  }

  @Test func hostsWithoutWorkHearNothing() throws {
    let shape = WireShape(hidden: 4, experts: 40, expertsPerToken: 2, layers: 2, ranks: 42)
    let fleet = Fleet(
      shape: shape, placement: try Placement(owners: (0..<40).map { $0 + 2 }, ranks: 42, coordinator: 0, router: 1))
    _ = try fleet.run([[1, 2, 3, 4]], layer: 1)
    let heard = fleet.nodes.filter { $0.exchange.traffic.messagesReceived > 0 }.map(\.exchange.rank)
    #expect(heard == [0, 1] + fleet.fabric.routing.experts.map { Int($0) + 2 })
  }

  /// A rank that routes and hosts experts keeps the other hosts busy before it computes.
  @Test func gatesGoBeforeExperts() throws {
    var random = SplitMix64(6)
    let shape = WireShape(hidden: 4, experts: 8, expertsPerToken: 4, layers: 2, ranks: 3, maxMessageBytes: 400)
    let fleet = Fleet(shape: shape, placement: try .contiguous(experts: 8, ranks: 3))
    let ticket = try fleet.dispatch(randomTokens(20, 4, &random), layer: 1)
    let pieces = 20 / shape.maxTokensPerMessage + (20 % shape.maxTokensPerMessage == 0 ? 0 : 1)
    #expect(pieces > 2)
    for _ in 0..<pieces { #expect(try fleet.nodes[1].step()) }
    #expect(fleet.shards[1].calls.isEmpty)
    #expect(fleet.nodes[1].exchange.traffic.messagesSent > 2 * pieces)
    #expect(try fleet.nodes[1].step())
    #expect(!fleet.shards[1].calls.isEmpty)
    _ = try fleet.combine(ticket)
  }

  @Test func theSameSeedIsTheSameRun() throws {
    func counts(_ seed: UInt64) throws -> [[FakeShard.Call]] {
      var random = SplitMix64(5)
      let shape = WireShape(
        hidden: 4, experts: 16, expertsPerToken: 4, layers: 3, ranks: 5, maxMessageBytes: 400)
      let fleet = Fleet(shape: shape, placement: try .striped(experts: 16, ranks: 5), seed: seed)
      _ = try fleet.run(randomTokens(20, 4, &random), layer: 1)
      return fleet.shards.map(\.calls)
    }
    #expect(try counts(7) == counts(7))
    #expect(try counts(7) != counts(8))
  }

  @Test func statisticsCountWhatRan() throws {
    var random = SplitMix64(3)
    let shape = WireShape(hidden: 4, experts: 10, expertsPerToken: 3, layers: 4, ranks: 3)
    let fleet = Fleet(shape: shape, placement: try .contiguous(experts: 10, ranks: 3), seed: 1)
    var pairs: Set<[Int]> = []
    for layer in 1...3 {
      _ = try fleet.run(randomTokens(2, 4, &random), layer: layer)
      for id in fleet.fabric.routing.experts { pairs.insert([layer, Int(id)]) }
    }
    let times = fleet.fabric.times
    let all = try fleet.fabric.gatherStatistics()
    // Nobody waits for statistics in a step.
    #expect(fleet.fabric.times == times)
    #expect(all.map(\.rank) == [0, 1, 2])
    #expect(all.map(\.roles) == [["coordinator", "experts"], ["router", "experts"], ["experts"]])
    #expect(all.map(\.expertsHeld) == [4, 3, 3])
    #expect(all.map(\.expertRows).reduce(0, +) == 3 * 2 * 3)
    #expect(all.map(\.expertPairsActivated).reduce(0, +) == pairs.count)
    #expect(all.map(\.expertsActivated).reduce(0, +) == Set(pairs.map { $0[1] }).count)
    #expect(all[2].traffic.messagesSent > 0 && all[2].traffic.bytesReceived > 0)
    try fleet.fabric.shutDown()
    for node in fleet.nodes.dropFirst() {
      while try node.step() || !node.isShutDown {}
      #expect(node.isShutDown)
    }
  }
}
