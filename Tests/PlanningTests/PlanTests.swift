import Checkpoint
import DeepSeek
import ExpertParallel
import Foundation
import Inference
import Kernels
import Planning
import TestSupport
import Testing

@Suite("Plans")
struct PlanTests {
  private func example(_ name: String) throws -> ClusterDescription {
    try .load(Fixtures.root.appending(path: "../../Cluster/examples/\(name).json"))
  }

  @Test("R1 in 4 bits fits eight nodes of 64 GB, in 8 bits it does not, and what is missing is said")
  func shortage() throws {
    let cluster = try example("8-nodes-64GB-1GbE")
    let plan = try PlanSearch(costs(.r1), on: cluster, workload: Workload()).best()
    #expect(plan.fits.count == 8)
    let large = PlanSearch(costs(.r1, WeightFormats(.q8_0)), on: cluster, workload: Workload())
    let shortage = try #require(throws: Shortage.self) { _ = try large.best() }
    #expect(large.shortage == shortage)
    let held = shortage.nodes.reduce(0) { $0 + $1.experts }
    #expect(held + shortage.missingExperts == 256 && shortage.missingOnCoordinator == 0)
    // 665 GiB of weights in 8 nodes of 56 GiB.
    #expect((200 << 30..<260 << 30).contains(shortage.missingBytes))
    // By node, and by what is needed, there and left over: the same.
    #expect(shortage.nodes.allSatisfy { $0.missingBytes == $0.missingExperts * shortage.expertBytes })
    #expect(Set(shortage.nodes.map(\.missingExperts)).count <= 2)
    #expect(shortage.missingBytes == shortage.neededBytes - shortage.capacity + shortage.leftBytes)
    #expect(!large.hasPlan && PlanSearch(costs(.r1), on: cluster, workload: Workload()).hasPlan)
  }

  @Test("What is missing adds up with what is needed, there and left over, on nodes of any size")
  func sums() throws {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<40 {
      let nodes = (0..<Int.random(in: 1...6, using: &generator)).map { _ in
        MadeUpNode(gibibytes: Double.random(in: 0...0.4, using: &generator))
      }
      let search = PlanSearch(costs(.bench3B), on: madeUpCluster(nodes), workload: Workload())
      guard let shortage = search.shortage else { continue }
      #expect(shortage.neededBytes + shortage.leftBytes == shortage.capacity + shortage.missingBytes, "\(shortage)")
      for node in shortage.nodes {
        let tooMuch = max(0, node.fixedBytes - node.capacity)
        #expect(node.missingBytes == node.missingExperts * shortage.expertBytes + tooMuch, "\(shortage)")
      }
      #expect(shortage.missingForBuffers >= 0 && shortage.missingOnCoordinator >= 0)
    }
    // The one whose part is too large stands among nodes that have room, and one that has none.
    let cluster = madeUpCluster([1, 1, 1, 0].map { MadeUpNode(gibibytes: $0) })
    let long = PlanSearch(costs(.bench3B), on: cluster, workload: Workload(sequences: 64, context: 4000))
    let shortage = try #require(throws: Shortage.self) { _ = try long.best() }
    #expect(shortage.missingBytes == shortage.missingOnCoordinator && shortage.spareExperts > 0)
    #expect(shortage.neededBytes + shortage.leftBytes == shortage.capacity + shortage.missingBytes, "\(shortage)")
  }

  @Test("Bytes on the network are those of the rows that cross it")
  func wire() throws {
    let workload = Workload(prompt: 0, generated: 128, sequences: 16)
    let plan = try PlanSearch(costs(.r1), on: example("8-nodes-64GB-1GbE"), workload: workload).best()
    let combine = try #require(plan.prediction.decode.phases.first { $0.kind == .combine })
    // Rows of 7,168 f32 and 8 bytes; messages have 64 more.
    let rows = plan.load.sums * 16 * 58 * (7168 * 4 + 8)
    #expect((1..<1.001).contains(combine.wireBytes / rows), "\(combine.wireBytes) of \(rows)")
    #expect(abs(combine.wireBytes / combine.wireSeconds / 116e6 - 1) < 0.01)
    #expect(combine.hiddenSeconds > 0 && combine.hiddenSeconds < combine.wireSeconds)
    let shared = try #require(plan.prediction.decode.phases.first { $0.kind == .shared })
    #expect(shared.memoryBytes == plan.costs.shared.bytes * 58 && shared.hiddenSeconds > shared.seconds)
  }

  @Test("Why a node is idle")
  func idle() throws {
    let small = MadeUpNode(cpu: "small", gibibytes: 0.01)
    let divided = MadeUpNode(cpu: "divided", domains: 70_000, gibibytes: 1e6)
    let cluster = madeUpCluster([MadeUpNode(), MadeUpNode(), small, divided], bytesPerSecond: 1e6)
    let plan = try PlanSearch(costs(.bench3B), on: cluster, workload: Workload()).best()
    #expect(plan.nodesInOrder == [0] && plan.idleNodes == [1, 2, 3])
    #expect(plan.idleNodes.map(plan.idleness) == [.isNoFaster, .isTooSmall, .hasTooManyDomains])
  }

  @Test("The parts that are added up are all that ranks hold")
  func parts() {
    let model = costs(.r1)
    let layers = Double(model.configuration.layers)
    let shared: Double = model.shared.bytes * Double(model.expertLayers)
    let attention: Double = (model.attention.bytes + model.absorbed.bytes) * layers
    let dense: Double = attention + model.dense.bytes + model.head.bytes + shared
    // Norms, and the keys for prompts, come on top.
    let keys: Double = model.expanded.bytes * layers
    let held = Double(model.sizes.dense)
    #expect(dense < held && dense + keys > held)
    // As Documentation/DeepSeek-R1.md sums them up.
    #expect(abs(model.attention.bytes * layers - 5.844e9) < 0.01e9)
    #expect(abs(model.absorbed.bytes * layers - 1.087e9) < 0.01e9)
    #expect(abs(model.expert.bytes - 24.8e6) < 0.1e6)
  }

  @Test("A decode step of one machine is its bytes over its bandwidth")
  func oneMachine() throws {
    let model = costs(.bench3B)
    let cluster = madeUpCluster([MadeUpNode(gibibytes: 16, read: 20e9, int8: 1e15, f32: 1e15)])
    var free = Efficiency()
    (free.secondsPerJob, free.secondsPerMessage, free.secondsPerScore) = (0, 0, 0)
    let prediction = Prediction(
      of: model, placement: try .contiguous(experts: 64, ranks: 1),
      layout: RankLayout(cluster: cluster, nodes: [0], efficiency: free),
      workload: Workload(prompt: 0, generated: 1),
      sample: RoutingSample(model.configuration, tokens: 512), efficiency: free)
    let expected = model.active.bytes / (20e9 * free.memory)
    #expect(abs(prediction.decode.secondsPerStep / expected - 1) < 0.01)
    #expect(prediction.prefill == nil && prediction.decode.limit == .coordinator || prediction.decode.limit == .hosts)
  }

  @Test("Products that were calibrated take the place of what is assumed of peaks")
  func measuredProducts() throws {
    let model = costs(.bench3B)
    var cluster = madeUpCluster([MadeUpNode(gibibytes: 16)])
    func step(_ cluster: ClusterDescription) throws -> DecodePrediction {
      Prediction(
        of: model, placement: try .contiguous(experts: 64, ranks: 1), layout: RankLayout(cluster: cluster, nodes: [0]),
        workload: Workload(prompt: 0, generated: 1), sample: RoutingSample(model.configuration, tokens: 512)
      ).decode
    }
    func product(_ threads: Int, _ bytesPerSecond: Double) -> Calibration.ProductSpeed {
      .init(
        format: .q4_K, threads: threads, streamedBytesPerSecond: bytesPerSecond,
        multiplyAdds: Calibration.ProductSpeed.rows.map { .init(rows: $0, perSecond: 1e15) })
    }
    let assumed = try step(cluster).secondsPerStep
    cluster.nodes[0].products = [product(1, 1e9), product(4, 3e9), product(8, 1e12)]
    // Three of four threads' worth: more threads than the node has were measured, too, and do not count.
    let measured = try step(cluster)
    let expected = model.expert.weights[.q4_K] * 8 * 7 / 3e9
    #expect(measured.secondsPerStep > 5 * assumed)
    #expect(abs((measured.phases.first { $0.kind == .experts }?.readingSeconds ?? 0) / expected - 1) < 0.01)
  }

  @Test("What overlaps, short rows, jobs and attention: as calibrated, and nothing is read that the cache holds")
  func measuredCosts() throws {
    let model = costs(.bench3B)
    var cluster = madeUpCluster([MadeUpNode(gibibytes: 16)])
    func step(_ change: (inout ClusterDescription.Node) -> Void) throws -> Double {
      change(&cluster.nodes[0])
      return Prediction(
        of: model, placement: try .contiguous(experts: 64, ranks: 1), layout: RankLayout(cluster: cluster, nodes: [0]),
        workload: Workload(prompt: 0, generated: 2, sequences: 64),
        sample: RoutingSample(model.configuration, tokens: 512)
      ).decode.secondsPerStep
    }
    func further(exposed: Double, perOutput: Double) -> (inout ClusterDescription.Node) -> Void {
      { node in
        node.products = WeightFormat.allCases.map { format in
          .init(
            format: format, threads: 4, streamedBytesPerSecond: 20e9,
            multiplyAdds: Calibration.ProductSpeed.rows.map { .init(rows: $0, perSecond: 100e9) },
            further: .init(
              exposed: .init(repeating: exposed, count: 6), secondsPerOutput: .init(repeating: perOutput, count: 6)))
        }
      }
    }
    func otherWork(perJob: Double, attention: Double) -> (inout ClusterDescription.Node) -> Void {
      { node in
        node.costs = [
          .init(
            threads: 4, secondsPerJob: perJob,
            attention: Calibration.AttentionSpeed.sizes.map {
              .init(
                form: $0.form, content: $0.content, rotary: $0.rotary, value: $0.value,
                multiplyAddsPerSecond: attention)
            })
        ]
      }
    }
    let hidden = try step(further(exposed: 0, perOutput: 0))
    let exposed = try step(further(exposed: 1, perOutput: 0))
    #expect(exposed > 1.2 * hidden)
    // 64 rows of every output but those of absorbed attention, whose heads are one product each, are two billionths.
    let short = try step(further(exposed: 0, perOutput: 1e-9))
    #expect(short > hidden + 64 * 32768 * 1e-9)
    _ = try step(further(exposed: 0, perOutput: 0))
    let jobs = try step(otherWork(perJob: 1e-6, attention: 1e12)),
      moreJobs = try step(otherWork(perJob: 11e-6, attention: 1e12))
    // Eight layers of more than five products.
    #expect(moreJobs - jobs > 8 * 5 * 10e-6 && moreJobs - jobs < 8 * 30 * 10e-6)
    let slow = try step(otherWork(perJob: 1e-6, attention: 1e9))
    // One position each, eight layers.
    let multiplyAdds: Double = 64 * 8 * model.absorbedMultiplyAdds
    let longer: Double = multiplyAdds * (1e-9 - 1e-12)
    #expect(abs((slow - jobs) / longer - 1) < 0.05)
    let read = try step(further(exposed: 1, perOutput: 0))
    let cached = try step { $0.cacheBytes = 4 << 30 }
    let tooSmall = try step { $0.cacheBytes = 1 << 20 }
    #expect(cached < read && tooSmall == read)
  }

  @Test("Unequal nodes get unequal shards: by memory, and by speed where memory allows it")
  func unequal() throws {
    // The two larger ones alone have not enough.
    let small = MadeUpNode(cpu: "small", gibibytes: 0.5)
    let cluster = madeUpCluster([MadeUpNode(gibibytes: 0.95), MadeUpNode(gibibytes: 0.95), small])
    let plan = try PlanSearch(costs(.bench3B), on: cluster, workload: Workload()).best()
    let byNode = Dictionary(uniqueKeysWithValues: plan.fits.map { ($0.node, $0.experts) })
    let (held, most) = (try #require(byNode[2]), try #require(byNode[1]))
    #expect(held > 0 && held < most)

    let slow = MadeUpNode(cpu: "slow", gibibytes: 16, read: 5e9, int8: 100e9)
    let mixed = madeUpCluster(
      [MadeUpNode(gibibytes: 16), slow, MadeUpNode(gibibytes: 16)], latency: 5e-6, bytesPerSecond: 10e9)
    let fast = try PlanSearch(costs(.bench3B), on: mixed, workload: Workload()).best()
    let slowExperts = fast.fits.first { $0.node == 1 }?.experts ?? 0
    let fastExperts = fast.fits.first { $0.node == 2 }?.experts ?? 0
    #expect(slowExperts < fastExperts || fastExperts == 0)
    #expect(fast.layout.nodes[fast.placement.coordinator] != 1)
  }

  @Test("A rank in every NUMA domain, neighbours in the order of ranks")
  func domains() throws {
    let plan = try PlanSearch(
      costs(.r1), on: try example("4-nodes-dual-socket-256GB-25GbE"), workload: Workload()
    ).best()
    #expect(plan.layout.ranks == 2 * plan.fits.count)
    #expect(plan.layout.nodes == plan.nodesInOrder.flatMap { [$0, $0] })
    #expect(plan.placement.coordinator == 0)
  }

  @Test("What a purchase gains is never a loss, and comparisons are there")
  func whatIfs() throws {
    func cluster(_ node: MadeUpNode, bytesPerSecond: Double = 117e6) -> PlanSearch {
      PlanSearch(
        costs(.bench3B), on: madeUpCluster([MadeUpNode](repeating: node, count: 3), bytesPerSecond: bytesPerSecond),
        workload: Workload(sequences: 4))
    }
    let search = cluster(MadeUpNode(gibibytes: 1.2))
    let plan = try search.best()
    let all = WhatIf.all(plan, search)
    #expect(all.count == 6 && all.count { $0.change.rawValue.contains("of the coordinator's") } == 1)
    // Of the coordinator's node what the limit names.
    let slowLinks = cluster(MadeUpNode(gibibytes: 1.2), bytesPerSecond: 1e6)
    let slowMemory = cluster(MadeUpNode(gibibytes: 1.2, read: 1e8))
    let slowSums = cluster(MadeUpNode(gibibytes: 1.2, int8: 1e8))
    for (search, change) in [
      (slowLinks, WhatIf.Change.coordinatorNetwork), (slowMemory, .coordinatorMemory),
      (slowSums, .coordinatorArithmetic),
    ] {
      let plan = try search.best()
      #expect(WhatIf.all(plan, search).contains { $0.change == change }, "\(plan.prediction.decode.limit)")
    }
    #expect(all.allSatisfy { $0.prediction.seconds <= plan.prediction.seconds })
    #expect(zip(all, all.dropFirst()).allSatisfy { $0.prediction.seconds <= $1.prediction.seconds })
    let others = Comparison.all(plan)
    #expect(others.count == 3 && others.allSatisfy { ($0.decode ?? 0) > 0 && ($0.batch ?? 0) >= ($0.decode ?? 0) })
  }

  @Test("Several streams share the reading of weights: more tokens a second in all, fewer each")
  func streams() throws {
    let plan = try PlanSearch(costs(.r1), on: try example("16-nodes-32GB-10GbE"), workload: Workload()).best()
    let (one, many) = (plan.prediction.decode, plan.prediction(sequences: 16).decode)
    #expect(many.tokensPerSecond > 2 * one.tokensPerSecond)
    #expect(many.tokensPerSecond < 16 * one.tokensPerSecond)
  }
}
