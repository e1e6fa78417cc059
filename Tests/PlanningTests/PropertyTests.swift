import ExpertParallel
import Inference
import Planning
import TestSupport
import Testing

@Suite("What holds for every plan")
struct PropertyTests {
  private static let seeds = 0..<6

  private func randomCluster(_ generator: inout SeededGenerator) -> ClusterDescription {
    let kinds = (0..<Int.random(in: 1...2, using: &generator)).map { kind in
      MadeUpNode(
        cpu: "kind \(kind)", cores: [2, 4, 16].randomElement(using: &generator)!,
        domains: Int.random(in: 1...2, using: &generator), gibibytes: Double.random(in: 0.5...3, using: &generator),
        read: Double.random(in: 10e9...200e9, using: &generator),
        int8: Double.random(in: 0.2e12...3e12, using: &generator), messageCost: messageCost(&generator))
    }
    let nodes = (0..<Int.random(in: 2...5, using: &generator)).map { _ in kinds.randomElement(using: &generator)! }
    return madeUpCluster(
      nodes, latency: Double.random(in: 1e-6...2e-4, using: &generator),
      bytesPerSecond: Double.random(in: 1e8...1e10, using: &generator))
  }

  /// None on every third node or so.
  private func messageCost(_ generator: inout SeededGenerator) -> Calibration.MessageCost? {
    guard Int.random(in: 0..<3, using: &generator) > 0 else { return nil }
    return .init(
      secondsPerByteSent: Double.random(in: 0...2e-9, using: &generator),
      secondsPerByteReceived: Double.random(in: 0...2e-8, using: &generator))
  }

  private func search(_ cluster: ClusterDescription, _ sequences: Int) -> PlanSearch {
    let model = costs(.bench3B)
    return PlanSearch(
      model, on: cluster, workload: Workload(prompt: 96, generated: 32, sequences: sequences),
      sample: RoutingSample(model.configuration, tokens: 128))
  }

  @Test("No node holds more than it may, every expert has a host, and the sums add up", arguments: seeds)
  func fits(seed: Int) throws {
    var generator = SeededGenerator(seed: UInt64(seed))
    let cluster = randomCluster(&generator)
    let search = search(cluster, 1 + seed % 4)
    guard let plan = try? search.best() else {
      #expect(search.shortage != nil || cluster.nodes.allSatisfy { $0.memoryBytes.total < 1 << 31 })
      return
    }
    for fit in plan.fits {
      let available = cluster.nodes[fit.node].memoryBytes.available
      #expect(fit.bytes <= fit.capacity && fit.capacity <= available - available / 20)
    }
    #expect(plan.placement.owners.count == 64)
    #expect(plan.fits.reduce(0) { $0 + $1.experts } == 64)
    #expect(Set(plan.fits.flatMap(\.ranks)) == Set(0..<plan.placement.ranks))
    // The placement that would be written is one that a run reads.
    #expect(
      try Placement.parse(
        .init(plan.placement.json.utf8), file: "p", ranks: plan.placement.ranks, experts: 64) == plan.placement)
    let decode = plan.prediction.decode
    #expect(abs(decode.phases.reduce(0) { $0 + $1.seconds } - decode.secondsPerStep) < 1e-12)
    #expect(decode.phases.allSatisfy { $0.seconds >= 0 && $0.hiddenSeconds >= 0 && $0.unhiddenSeconds >= -1e-12 })
    let prefill = try #require(plan.prediction.prefill)
    for phase in decode.phases + plan.promptParts.map(\.phase) {
      let work =
        max(phase.readingSeconds, phase.computingSeconds) + phase.unhiddenSeconds + phase.overheadSeconds
        + phase.elementSeconds
      let way = phase.latencySeconds + phase.wireSeconds + phase.sharedMemorySeconds + phase.carryingSeconds
      let sum = work + way + phase.neighbourSeconds - phase.hiddenSeconds
      #expect(abs(sum - phase.seconds) < 1e-9 * (decode.secondsPerStep + prefill.seconds) + 1e-12, "\(phase)")
    }
    for resource in prefill.resources {
      let parts = plan.promptParts.filter { $0.resource == resource.kind }
      let sum = parts.reduce(0) { $0 + $1.phase.seconds }
      #expect(abs(sum - resource.seconds) < 1e-9 * prefill.seconds, "\(resource)")
    }
  }

  @Test("One more node never predicts slower", arguments: seeds)
  func moreNodes(seed: Int) throws {
    var generator = SeededGenerator(seed: UInt64(seed))
    let cluster = randomCluster(&generator)
    let search = search(cluster, 1 + seed % 4)
    guard let before = try? search.best() else { return }
    for model in cluster.nodes.indices {
      let after = try search.on(cluster.addingNode(like: model)).best()
      #expect(after.prediction.seconds <= before.prediction.seconds)
    }
  }

  @Test("One more node of another kind never predicts slower", arguments: seeds)
  func moreKinds(seed: Int) throws {
    var generator = SeededGenerator(seed: UInt64(seed))
    let cluster = randomCluster(&generator)
    let search = search(cluster, 1 + seed % 4)
    guard let before = try? search.best() else { return }
    for gibibytes in [0.25, 2] {
      var other = cluster.addingNode(like: 0)
      let (bytes, last) = (Int(gibibytes * 0x1p30), cluster.nodes.count)
      other.nodes[last].cpu = "another"
      other.nodes[last].memoryBytes = .init(total: bytes, available: bytes)
      let after = try search.on(other).best()
      #expect(after.prediction.seconds <= before.prediction.seconds)
    }
  }

  @Test("One more node takes no number of nodes away that was tried")
  func choices() {
    /// Nodes that hold so many experts each; 256 are needed.
    func choices(_ counts: [Int], _ held: Int, adding more: Int? = nil) -> Set<[Int]> {
      let order = counts.enumerated().flatMap { [Int](repeating: $0, count: $1) } + (more.map { [$0] } ?? [])
      let kinds = NodeKinds(madeUpCluster(order.map { MadeUpNode(cpu: "kind \($0)") }))
      return Set(kinds.choices(most: 258) { $0.reduce(0, +) * held >= 256 })
    }
    for held in [1, 4, 20, 256] {
      for count in [1, 8, 9, 17, 24, 64, 65, 70, 71, 127, 300] where count * held >= 256 {
        let some = choices([count], held)
        #expect(!some.isEmpty && some.isSubset(of: choices([count + 1], held)), "\(count) of \(held)")
        let padded = Set(some.map { $0 + [0] })
        #expect(padded.isSubset(of: choices([count, 1], held)), "\(count) of \(held)")
      }
      for counts in [[9, 5], [17, 18], [24, 1], [40, 33]] where counts.reduce(0, +) * held >= 256 {
        let some = choices(counts, held)
        for kind in counts.indices {
          #expect(some.isSubset(of: choices(counts, held, adding: kind)), "\(counts) of \(held)")
        }
        #expect(Set(some.map { $0 + [0] }).isSubset(of: choices(counts + [1], held)))
      }
    }
    // What only all of them hold is found, however many there are.
    for count in [65, 71, 101, 130, 255] { #expect(!choices([count], 256 / count + 1).isEmpty) }
    #expect(choices([17, 20], 7) == [[17, 20]])
  }

  @Test("More bandwidth, arithmetic or less latency never predicts slower, for one node or all", arguments: seeds)
  func faster(seed: Int) throws {
    var generator = SeededGenerator(seed: UInt64(seed))
    let cluster = randomCluster(&generator)
    let search = search(cluster, 1 + seed % 4)
    guard let before = try? search.best() else { return }
    func faster(_ change: (inout ClusterDescription) -> Void) throws {
      var other = cluster
      change(&other)
      let after = try search.on(other).best()
      #expect(after.prediction.seconds <= before.prediction.seconds)
    }
    func scaled(_ speeds: [Calibration.ThreadSpeed]) -> [Calibration.ThreadSpeed] {
      speeds.map { .init(threads: $0.threads, best: $0.best * 1.7, median: $0.median * 1.7) }
    }
    let some = cluster.nodes.indices.randomElement(using: &generator)!
    try faster { $0.nodes[some].readBytesPerSecond = scaled($0.nodes[some].readBytesPerSecond) }
    try faster { $0.nodes[some].multiplyAddsInt8PerSecond = scaled($0.nodes[some].multiplyAddsInt8PerSecond) }
    try faster { $0.links.bytesPerSecond = $0.links.bytesPerSecond.map { $0.map { $0 * 3 } } }
    try faster { $0.links.latencySeconds = $0.links.latencySeconds.map { $0.map { $0 / 3 } } }
    try faster { $0.nodes[some].messageCost = nil }
    // A prediction for the very same placement, too.
    var quick = cluster
    for index in quick.nodes.indices {
      quick.nodes[index].readBytesPerSecond = scaled(quick.nodes[index].readBytesPerSecond)
    }
    let same = Prediction(
      of: before.costs, placement: before.placement, layout: RankLayout(cluster: quick, nodes: before.layout.nodes),
      workload: before.workload, sample: search.sample)
    #expect(same.seconds <= before.prediction.seconds)
    #expect(same.decode.tokensPerSecond > before.prediction.decode.tokensPerSecond)
  }
}
