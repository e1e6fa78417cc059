import Checkpoint
import DeepSeek
import ExpertParallel
import Inference
import Kernels
import Planning
import TestSupport
import Testing

@Suite("Plans that divide the dense part of generated tokens")
struct DivisionTests {
  private static let fast = madeUpCluster(
    Array(repeating: MadeUpNode(), count: 4), latency: 5e-6, bytesPerSecond: 1.2e9)

  @Test("What is divided, counted by hand for bench-3b")
  func counted() {
    let costs = costs(.bench3B)
    func encoded(_ columns: Int) -> Double { Double(ActivationEncoding.q8.rowBytes(columns: columns)) }
    // Queries [3072, 768] and output [2048, 2048] of a layer.
    #expect(costs.divisibleAttention.questions == 2)
    #expect(costs.divisibleAttention.inputBytes == encoded(768) + encoded(2048))
    #expect(costs.divisibleAttention.outputBytes == (3072 + 2048) * 4)
    #expect(costs.divisibleAttention.work.multiplyAdds.sum == 3072 * 768 + 2048 * 2048)
    // One dense layer of 8192: gate and up in one question, then down.
    #expect(costs.divisibleDense.questions == 2)
    #expect(costs.divisibleDense.inputBytes == encoded(2048) + encoded(8192))
    #expect(costs.divisibleDense.outputBytes == (8192 + 2048) * 4)
    #expect(costs.divisibleDense.work.weights == costs.dense.weights)
    #expect(costs.divisibleHead.questions == 1 && costs.divisibleHead.work.weights == costs.head.weights)
    #expect(costs.divisibleHead.outputBytes == 32_768 * 4)
  }

  @Test("A feed-forward as wide as the model: its gate and up projections are one question all the same")
  func asWide() {
    var configuration = ModelConfiguration.Preset.bench3B.configuration
    configuration.denseIntermediate = configuration.hidden
    configuration.expertIntermediate = configuration.hidden
    let costs = ModelCosts(configuration, WeightFormats(.q4_K))
    #expect(costs.divisibleDense.questions == 2)
    #expect(costs.divisibleDense.inputBytes == 2 * Double(ActivationEncoding.q8.rowBytes(columns: 2048)))
    #expect(costs.divisibleDense.outputBytes == 2 * 2048 * 4)
    #expect(costs.divisibleAttention.questions == 2)
  }

  @Test(
    "Only what was asked for is tried, in what-ifs too, and the best of it is found", arguments: DenseSlicing.allCases)
  func asked(_ asked: DenseSlicing) throws {
    let node = MadeUpNode(cores: 8, domains: 2)
    for latency in [5e-6, 5e-4] {
      let cluster = madeUpCluster([node, node, node], latency: latency, bytesPerSecond: latency < 1e-4 ? 1.2e9 : 1e7)
      let search = PlanSearch(
        costs(.bench3B), on: cluster, workload: Workload(prompt: 0, generated: 64),
        sample: RoutingSample(costs(.bench3B).configuration, tokens: 128), denseSlices: asked)
      let (plan, free) = (try search.best(), try search.undecided.best())
      #expect(plan.denseSlices == asked && free.denseSlices == nil)
      func expected(_ plan: Plan) -> [Int] {
        switch asked {
        case .none: []
        case .host: [1]
        case .all: Array(1..<plan.layout.ranks)
        }
      }
      for plan in [plan, try search.on(cluster.addingNode(like: 1)).best()] {
        #expect(plan.placement.slices == expected(plan) && plan.placement.decidesSlices)
      }
      #expect(plan.prediction.seconds >= free.prediction.seconds)
      #expect((plan.prediction.seconds == free.prediction.seconds) == (free.placement.slices == expected(free)))
      // The same placement, with other ranks for the dense part: none is faster than the free choice.
      #expect(plan.otherDivisions.allSatisfy { $0.prediction.seconds >= free.prediction.seconds })
    }
  }

  /// Two nodes of two domains each.
  private func tight(_ gibibytes: Double, _ asked: DenseSlicing?) -> PlanSearch {
    let nodes = Array(repeating: MadeUpNode(domains: 2, gibibytes: gibibytes), count: 2)
    return PlanSearch(
      costs(.bench3B), on: madeUpCluster(nodes, latency: 5e-6, bytesPerSecond: 1.2e9),
      workload: Workload(prompt: 0, generated: 8), sample: RoutingSample(costs(.bench3B).configuration, tokens: 128),
      denseSlices: asked)
  }

  /// The least memory of a node, to a hundredth.
  private func least(_ asked: DenseSlicing?) throws -> Double {
    try #require(stride(from: 0.6, through: 1.6, by: 0.01).first { tight($0, asked).hasPlan })
  }

  @Test("Where nodes are nearly full, experts make room for shares, asked for or not")
  func room() throws {
    let (none, all) = (try least(DenseSlicing.none), try least(.all))
    let share = Double(costs(.bench3B).sizes.divisible) / 4 / 0x1p30
    #expect(none < all && all - none < 2 * share * 20 / 19 + 0.02, "\(none), \(all), \(share)")
    let (asked, free) = (try tight(all, .all).best(), try tight(all, nil).best())
    #expect(asked.placement.slices == [1, 2, 3] && asked.fits.allSatisfy { $0.bytes <= $0.capacity })
    // Without that room, no placement could be divided there.
    let alone = try tight(all, DenseSlicing.none).best()
    #expect(alone.otherDivisions.last?.placement.slices == [1, 2, 3] && alone.otherDivisions.last?.fits == false)
    #expect(asked.prediction.seconds < alone.prediction.seconds)
    #expect(free.prediction.seconds <= asked.prediction.seconds && free.otherDivisions.first?.fits == true)
  }

  @Test("A shortage counts the shares that were asked for, node by node")
  func shortage() throws {
    let memory = try least(DenseSlicing.none)
    let search = tight(memory, .all)
    let shortage = try #require(throws: Shortage.self) { _ = try search.best() }
    #expect(search.shortage == shortage && search.undecided.hasPlan && shortage.denseSlices == .all)
    let share = costs(.bench3B).sizes.shareBytes(ranks: 4)
    #expect(shortage.nodes.map(\.shareBytes) == [share, 2 * share])
    #expect(shortage.missingBytes > 0)
    #expect(shortage.missingBytes == shortage.neededBytes - shortage.capacity + shortage.leftBytes)
    let host = try #require(throws: Shortage.self) { _ = try tight(0.6, .host).best() }
    let bare = try #require(throws: Shortage.self) { _ = try tight(0.6, nil).best() }
    #expect(host.nodes.map(\.shareBytes) == [costs(.bench3B).sizes.shareBytes(ranks: 2), 0] && bare.shareBytes == 0)
    #expect(host.nodes[0].fixedBytes - host.nodes[0].shareBytes == bare.nodes[0].fixedBytes)
  }

  @Test("A node without room for its share beside one expert is too small for what was asked")
  func idle() throws {
    func idleness(_ gibibytes: Double, _ asked: DenseSlicing) throws -> Plan.Idleness {
      let cluster = madeUpCluster([MadeUpNode(), MadeUpNode(cpu: "small", gibibytes: gibibytes)], bytesPerSecond: 1e6)
      let plan = try PlanSearch(
        costs(.bench3B), on: cluster, workload: Workload(prompt: 0, generated: 8),
        sample: RoutingSample(costs(.bench3B).configuration, tokens: 128), denseSlices: asked
      ).best()
      try #require(plan.idleNodes == [1])
      return plan.idleness(of: 1)
    }
    let sizes = stride(from: 0.01, through: 0.3, by: 0.01)
    let least = try #require(try sizes.first { try idleness($0, .none) == .isNoFaster })
    #expect(try idleness(least, .host) == .isNoFaster && idleness(least, .all) == .isTooSmall)
    #expect(try idleness(least + 0.2, .all) == .isNoFaster)
  }

  @Test("What it is compared with divides the dense part where the plan may")
  func compared() throws {
    let node = MadeUpNode(cores: 8, domains: 2)
    func comparisons(_ asked: DenseSlicing?) throws -> [Comparison] {
      let plan = try PlanSearch(
        costs(.bench3B), on: madeUpCluster([node, node]), workload: Workload(prompt: 0, generated: 8),
        sample: RoutingSample(costs(.bench3B).configuration, tokens: 128), denseSlices: asked
      ).best()
      return Comparison.all(plan)
    }
    let (none, host, free) = (try comparisons(DenseSlicing.none), try comparisons(.host), try comparisons(nil))
    // A pipeline of these nodes, and one of them.
    for place in 0..<2 {
      let (alone, divided) = (try #require(none[place].decode), try #require(host[place].decode))
      #expect(alone < divided && free[place].decode == divided)
    }
  }

  @Test("Where copies push weights out of a cache, prompts get slower too, in the search as by themselves")
  func cached() throws {
    var cluster = madeUpCluster([MadeUpNode(cores: 8, domains: 2)])
    func plan() throws -> Plan {
      try PlanSearch(
        costs(.bench3B), on: cluster, workload: Workload(prompt: 96, generated: 8),
        sample: RoutingSample(costs(.bench3B).configuration, tokens: 128), denseSlices: DenseSlicing.none
      ).best()
    }
    let fit = try plan().fits[0]
    cluster.nodes[0].cacheBytes = fit.expertBytes + fit.denseBytes + fit.gateBytes
    let held = try plan()
    let other = try #require(held.otherDivisions.first)
    let fresh = Prediction(
      of: held.costs, placement: other.placement, layout: held.layout, workload: held.workload,
      sample: RoutingSample(costs(.bench3B).configuration, tokens: 128))
    #expect(other.placement.slices == [1] && other.prediction.seconds == fresh.seconds)
    // With room for the copies in the cache.
    cluster.nodes[0].cacheBytes = fit.expertBytes + 2 * fit.denseBytes + fit.gateBytes
    let roomy = try #require(try plan().otherDivisions.first?.prediction.prefill)
    let prompt = try #require(other.prediction.prefill)
    #expect(prompt.seconds == fresh.prefill?.seconds && prompt.seconds > roomy.seconds)
  }

  private func prediction(_ placement: Placement, _ cluster: ClusterDescription, sequences: Int) -> Prediction {
    let costs = costs(.bench3B)
    return Prediction(
      of: costs, placement: placement, layout: RankLayout(cluster: cluster, ranks: placement.ranks, threads: nil),
      workload: Workload(prompt: 0, generated: 64, sequences: sequences),
      sample: RoutingSample(costs.configuration, tokens: 512))
  }

  @Test("A quarter of the bytes, and messages of the sizes that a run sends")
  func sums() throws {
    let alone = try Placement.contiguous(experts: 64, ranks: 4)
    let before = prediction(alone, Self.fast, sequences: 2).decode
    let after = prediction(try alone.dividing(among: 0..<4), Self.fast, sequences: 2).decode
    func phase(_ decode: DecodePrediction, _ kind: Planning.Phase.Kind) throws -> Planning.Phase {
      try #require(decode.phases.first { $0.kind == kind })
    }
    let (whole, head) = (try phase(before, .head), try phase(after, .head))
    #expect(abs(head.memoryBytes * 4 - whole.memoryBytes) < 1)
    #expect(head.messages == 2)
    let input = 2 * ActivationEncoding.q8.rowBytes(columns: 2048)
    // Headers of messages; three of four quarters of the outputs come back.
    #expect(head.wireBytes == Double(3 * (input + 64) + 3 * (2 * 32_768 * 4 / 4 + 64)))
    #expect(abs(head.wireSeconds - head.wireBytes / 1.2e9) < 1e-12)
    #expect(abs(head.latencySeconds - head.handlingSeconds - 2 * 5e-6) < 1e-12)
    for kind in [Planning.Phase.Kind.experts, .gate, .toRouter, .dispatch, .combine, .shared] {
      #expect(try phase(before, kind) == phase(after, kind))
    }
    #expect(after.secondsPerStep < before.secondsPerStep)
    #expect(abs(after.phases.reduce(0) { $0 + $1.seconds } - after.secondsPerStep) < 1e-12)
    #expect(abs(after.limits.reduce(0) { $0 + $1.seconds } - after.secondsPerStep) < 1e-9)
  }

  @Test("More than 32 rows are the coordinator's where other nodes would divide them, not where its own ranks do")
  func manyRows() throws {
    let alone = try Placement.contiguous(experts: 64, ranks: 4)
    let divided = try alone.dividing(among: 0..<4)
    func decode(_ placement: Placement, _ cluster: ClusterDescription, _ sequences: Int = 33) -> DecodePrediction {
      prediction(placement, cluster, sequences: sequences).decode
    }
    #expect(decode(divided, Self.fast).phases == decode(alone, Self.fast).phases)
    let one = madeUpCluster([MadeUpNode()])
    let (before, after) = (decode(alone, one), decode(divided, one))
    for (old, new) in zip(before.phases, after.phases) {
      let isDivided = [.attention, .dense, .head].contains(new.kind)
      #expect((new.messages > old.messages) == isDivided, "\(new.kind)")
    }
    // Two questions for each product of 129 rows or more.
    let (many, more) = (decode(divided, one, 128), decode(divided, one, 129))
    func messages(_ decode: DecodePrediction, _ kind: Planning.Phase.Kind) -> Double {
      decode.phases.first { $0.kind == kind }?.messages ?? 0
    }
    #expect(messages(many, .attention) == 32 && messages(more, .attention) == 64)
    #expect(messages(many, .dense) == 4 && messages(more, .dense) == 8)
  }

  @Test("A prompt's dense layers are divided among ranks of one node, and its attention where it is not cut")
  func prompts() throws {
    let costs = costs(.bench3B)
    let layout = RankLayout(cluster: madeUpCluster([MadeUpNode()]), ranks: 4, threads: nil)
    let alone = try Placement.contiguous(experts: 64, ranks: 4)
    func prefill(_ placement: Placement, _ tokens: Int) throws -> PrefillPrediction {
      let prediction = Prediction(
        of: costs, placement: placement, layout: layout, workload: Workload(prompt: tokens, generated: 1),
        sample: RoutingSample(costs.configuration, tokens: 512))
      return try #require(prediction.prefill)
    }
    func own(_ prefill: PrefillPrediction) -> Double { prefill.resources.first { $0.kind == .coordinator }!.seconds }
    for tokens in [100, 512] {
      let (before, after) = (try prefill(alone, tokens), try prefill(alone.dividing(among: 0..<4), tokens))
      #expect(own(after) < own(before) && after.seconds < before.seconds)
      let parts = PromptPart.all(
        costs, try alone.dividing(among: 0..<4), layout, Workload(prompt: tokens, generated: 1),
        RoutingSample(costs.configuration, tokens: 512))
      let sum = parts.filter { $0.resource == .coordinator }.reduce(0) { $0 + $1.phase.seconds }
      #expect(abs(sum / own(after) - 1) < 1e-9)
    }
  }

  @Test("Chosen where it is faster, and left out where the network is slow")
  func chosen() throws {
    func plan(_ cluster: ClusterDescription, sequences: Int) throws -> Plan {
      try PlanSearch(
        costs(.bench3B), on: cluster, workload: Workload(prompt: 0, generated: 64, sequences: sequences),
        sample: RoutingSample(costs(.bench3B).configuration, tokens: 512)
      ).best()
    }
    let near = try plan(Self.fast, sequences: 1)
    #expect(near.placement.slices == Array(1..<near.placement.ranks))
    let alone = try #require(near.otherDivisions.first)
    #expect(alone.placement.slices.isEmpty && alone.prediction.seconds > near.prediction.seconds)
    let slow = madeUpCluster(Array(repeating: MadeUpNode(), count: 4), latency: 5e-4, bytesPerSecond: 1e7)
    #expect(try plan(slow, sequences: 16).placement.slices.isEmpty)
  }

  @Test("A run without a placement file: the ranks of the coordinator's node, where they have cores")
  func asRunsDo() throws {
    let cluster = madeUpCluster([MadeUpNode(cores: 2), MadeUpNode(cores: 2)])
    func slices(ranks: Int, threads: Int?) throws -> [Int] {
      let layout = RankLayout(cluster: cluster, ranks: ranks, threads: threads)
      return try Placement.contiguous(experts: 64, ranks: ranks).divided(nil, costs(.bench3B).sizes, layout).slices
    }
    #expect(try slices(ranks: 2, threads: nil).isEmpty)
    #expect(try slices(ranks: 4, threads: nil) == [2])
    #expect(try slices(ranks: 4, threads: 2).isEmpty)
    let layout = RankLayout(cluster: cluster, ranks: 4, threads: nil)
    let (alone, sizes) = (try Placement.contiguous(experts: 64, ranks: 4), costs(.bench3B).sizes)
    #expect(alone.divided(nil, sizes, layout).slices == [2])
    #expect(alone.divided(nil, costs(.mini).sizes, layout).slices.isEmpty)
    // What a file says stands until somebody asks for something else.
    let file = try alone.dividing(among: [1])
    #expect(file.divided(nil, sizes, layout).slices == [1])
    #expect(file.divided(.all, sizes, layout).slices == [1, 2, 3])
    #expect(file.divided(DenseSlicing.none, sizes, layout).slices.isEmpty)
  }

  @Test(
    "A placement on which a routing is more even keeps the ranks that divide the dense part, or that none was chosen")
  func improvement() throws {
    let configuration = ModelConfiguration.Preset.mini.configuration
    let sample = RoutingSample(configuration, tokens: 64)
    let given = try Placement.contiguous(experts: configuration.routedExperts, ranks: 4)
    for placement in [given, try given.dividing(among: [1, 3]), try given.dividing(among: [Int]())] {
      let improved = try PlacementImprovement(of: placement, sample, tries: 500)
      #expect(improved.taken > 0 && improved.placement.owners != placement.owners)
      #expect(improved.placement.slices == placement.slices)
      #expect(improved.placement.decidesSlices == placement.decidesSlices)
    }
  }
}
