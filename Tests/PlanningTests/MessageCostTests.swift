import ExpertParallel
import Inference
import Planning
import TestSupport
import Testing

@Suite("What messages take from processors")
struct MessageCostTests {
  private static let bytesPerSecond = 117e6
  private let cost = Calibration.MessageCost(secondsPerByteSent: 3e-9, secondsPerByteReceived: 5e-9)

  /// Two ranks with half of the experts each; the second one routes.
  private func prediction(
    _ cost: Calibration.MessageCost?, nodes: [Int] = [0, 1], threads: Int = 2, prompt: Int = 512
  ) throws -> Prediction {
    var cluster = madeUpCluster([MadeUpNode(), MadeUpNode()], bytesPerSecond: Self.bytesPerSecond)
    for index in cluster.nodes.indices { cluster.nodes[index].messageCost = cost }
    let costs = costs(.bench3B)
    return Prediction(
      of: costs, placement: try Placement.contiguous(experts: 64, ranks: 2),
      layout: RankLayout(cluster: cluster, nodes: nodes, threads: [threads, threads]),
      workload: Workload(prompt: prompt, generated: 2), sample: RoutingSample(costs.configuration, tokens: 512))
  }

  private func busy(_ prediction: Prediction, _ kind: PrefillPrediction.Resource.Kind) throws -> Double {
    try #require(prediction.prefill?.resources.first { $0.kind == kind }).seconds
  }

  @Test("Bytes times the cost of each, over the rank's threads, on top of what keeps it busy")
  func counted() throws {
    let (without, with) = (try prediction(nil), try prediction(cost))
    // All that crosses the ports of the network.
    let toSecond = try busy(with, .portOutOfCoordinator) * Self.bytesPerSecond
    let toFirst = try (busy(with, .portIntoCoordinator) + busy(with, .portOutOfRouter)) * Self.bytesPerSecond
    // Seven layers, two parts of 256 rows of 2048 f32 and a header.
    #expect(abs(toSecond - 7 * 2 * (256 * 8192 + 64)) < 1 && toFirst > toSecond)
    func more(_ kind: PrefillPrediction.Resource.Kind) throws -> Double { try busy(with, kind) - busy(without, kind) }
    #expect(abs(try more(.coordinator) / ((toSecond * 3e-9 + toFirst * 5e-9) / 2) - 1) < 1e-9)
    for kind in [PrefillPrediction.Resource.Kind.host, .router] {
      #expect(abs(try more(kind) / ((toFirst * 3e-9 + toSecond * 5e-9) / 2) - 1) < 1e-9)
    }
    #expect(try more(.way) == 0)
    #expect(with.prefill!.seconds > without.prefill!.seconds)
    // A generated token waits for each message anyway.
    #expect(with.decode.secondsPerStep == without.decode.secondsPerStep)
  }

  @Test("Ranks of one node say nothing over the network, and more threads lose less each")
  func nodes() throws {
    #expect(try prediction(cost, nodes: [0, 0]).seconds == prediction(nil, nodes: [0, 0]).seconds)
    func lost(_ threads: Int) throws -> Double {
      try busy(prediction(cost, threads: threads), .coordinator) - busy(prediction(nil, threads: threads), .coordinator)
    }
    #expect(abs(try lost(1) / lost(4) - 4) < 1e-6)
  }

  @Test("Where a node's was not calibrated, nothing is counted, and that is said")
  func omitted() {
    var cluster = madeUpCluster([MadeUpNode(), MadeUpNode(), MadeUpNode()])
    func omitted(_ nodes: [Int]) -> [Int] { RankLayout(cluster: cluster, nodes: nodes).nodesWithoutMessageCost }
    #expect(omitted([0, 1]) == [0, 1] && omitted([2, 2]) == [] && omitted([2, 0, 2]) == [0, 2])
    cluster.nodes[0].messageCost = cost
    #expect(omitted([0, 1]) == [1] && omitted([2, 0, 2]) == [2])
    cluster.nodes[1].messageCost = cost
    #expect(omitted([0, 1]) == [])
  }

  @Test("What is mostly messages is called so, and a prompt of one part waits for them too")
  func limit() throws {
    let much = Calibration.MessageCost(secondsPerByteSent: 2e-7, secondsPerByteReceived: 2e-7)
    #expect(try prediction(cost).prefill?.limit != .messages)
    #expect(try prediction(much).prefill?.limit == .messages)
    // Of two ranks on nodes that they share with nobody: none for a node.
    #expect(try prediction(much).prefill?.resources.first { $0.kind == .node }?.seconds == 0)
    func short(_ cost: Calibration.MessageCost?) throws -> PrefillPrediction {
      try #require(prediction(cost, prompt: 64).prefill)
    }
    let (without, with) = (try short(nil), try short(much))
    let most = try #require(with.resources.map(\.seconds).max())
    #expect(with.seconds > without.seconds && with.seconds >= most * 0.999)
  }

  @Test("Two ranks of a node: bytes as many as cross its port, seconds in their part of its cores")
  func sharedNode() throws {
    var cluster = madeUpCluster([MadeUpNode(cores: 2), MadeUpNode()], bytesPerSecond: Self.bytesPerSecond)
    for index in cluster.nodes.indices { cluster.nodes[index].messageCost = cost }
    let costs = costs(.bench3B)
    let layout = RankLayout(cluster: cluster, nodes: [0, 1, 0], threads: [1, 2, 1])
    let parts = PromptPart.all(
      costs, try Placement.contiguous(experts: 64, ranks: 3), layout, Workload(prompt: 512, generated: 2),
      RoutingSample(costs.configuration, tokens: 512))
    func messages(_ kind: PrefillPrediction.Resource.Kind) throws -> Phase {
      try #require(parts.first { $0.resource == kind && $0.name == "messages" }).phase
    }
    let (node, coordinator) = (try messages(.node), try messages(.coordinator))
    // The third rank's rows for the coordinator stay on their node.
    #expect(node.sentBytes == coordinator.sentBytes && node.receivedBytes > coordinator.receivedBytes)
    // One thread each, of two.
    #expect(abs(node.sendingSeconds - node.sentBytes * 3e-9 / 2) < 1e-12)
    #expect(abs(node.receivingSeconds - node.receivedBytes * 5e-9 / 2) < 1e-12)
    #expect(abs(coordinator.sendingSeconds - coordinator.sentBytes * 3e-9) < 1e-12)
  }

  @Test("A rank that routes and has experts is busy with both")
  func routerWithExperts() throws {
    let with = try prediction(nil)
    let router = try busy(with, .router)
    #expect(router > 0)
    let costs = costs(.bench3B)
    var cluster = madeUpCluster([MadeUpNode(), MadeUpNode()], bytesPerSecond: Self.bytesPerSecond)
    cluster.nodes[0].messageCost = nil
    let third = Prediction(
      of: costs, placement: try Placement(owners: (0..<64).map { $0 < 32 ? 0 : 1 }, ranks: 2, router: 0),
      layout: RankLayout(cluster: cluster, nodes: [0, 1], threads: [2, 2]),
      workload: Workload(prompt: 512, generated: 2), sample: RoutingSample(costs.configuration, tokens: 512))
    let expertsAlone = try busy(third, .host)
    #expect(abs(try busy(with, .host) - expertsAlone - router) < 1e-9)
  }

  @Test("Two ranks of a node read no faster together than the node does")
  func neighbours() throws {
    let model = costs(.bench3B)
    let node = MadeUpNode(cores: 2, read: 20e9, int8: 1e15, f32: 1e15)
    var free = Efficiency()
    (free.secondsPerJob, free.secondsPerMessage, free.secondsPerScore) = (0, 0, 0)
    free.elementwise = []
    var cluster = madeUpCluster([node])
    // One thread takes three quarters of it.
    cluster.nodes[0].readBytesPerSecond[0] = .init(threads: 1, best: 15e9, median: 15e9)
    // Every other expert, so that neither rank waits for long.
    let placement = try Placement(owners: (0..<64).map { $0 % 2 }, ranks: 2, router: 0)
    let decode = Prediction(
      of: model, placement: placement,
      layout: RankLayout(cluster: cluster, nodes: [0, 0], threads: [1, 1], efficiency: free),
      workload: Workload(prompt: 0, generated: 1), sample: RoutingSample(model.configuration, tokens: 512),
      efficiency: free
    ).decode
    let seconds = decode.phases.filter { [.experts, .shared].contains($0.kind) }.reduce(0) { $0 + $1.seconds }
    let bytes = 7 * (8 * model.expert.bytes + model.shared.bytes)
    #expect(seconds >= bytes / (20e9 * free.memory) * 0.999)
  }
}
