import Checkpoint
import DeepSeek
import ExpertParallel
import Foundation
import Inference
import Planning
import Testing

@Suite("Runs on a virtual clock")
struct VirtualRunTests {
  private static let r1 = ModelConfiguration.Preset.r1.configuration
  private static let costs = ModelCosts(r1, WeightFormats(.q4_K))

  private func run(
    _ cluster: ClusterDescription, _ placement: Placement, generated: Int = 24, sequences: Int = 1, skew: Double = 0
  ) -> VirtualRun {
    let workload = Workload(prompt: 32, generated: generated, sequences: sequences)
    let layout = RankLayout(cluster: cluster, nodes: (0..<placement.ranks).map { $0 % cluster.nodes.count })
    let visits = RoutingSample(
      visits: generated, sequences: sequences, Self.r1, skew: skew, gates: .uniform, seed: 3)
    return VirtualRun(Self.costs, placement: placement, layout: layout, workload: workload, visits: visits)
  }

  @Test("Its mean is what the planner predicts for an even sample", arguments: [1, 8])
  func mean(sequences: Int) throws {
    let cluster = madeUpCluster(Array(repeating: MadeUpNode(), count: 8))
    let placement = try Placement.contiguous(experts: 256, ranks: 8)
    let virtual = run(cluster, placement, sequences: sequences)
    let layout = RankLayout(cluster: cluster, nodes: Array(0..<8))
    let prediction = Prediction(
      of: Self.costs, placement: placement, layout: layout,
      workload: Workload(prompt: 32, generated: 24, sequences: sequences),
      sample: RoutingSample(Self.r1, tokens: 4096))
    #expect(abs(virtual.tokensPerSecond / prediction.decode.tokensPerSecond - 1) < 0.03)
    #expect(virtual.steps.count == 24 && virtual.stepSeconds(share: 0.99) >= virtual.stepSeconds(share: 0.5))
    let parts = virtual.phases.reduce(0) { $0 + $1.seconds }
    #expect(abs(parts / virtual.steps.reduce(0, +) - 1) < 1e-9)
  }

  @Test("More memory bandwidth or faster links make no step slower")
  func faster() throws {
    let placement = try Placement.striped(experts: 256, ranks: 8)
    let slow = madeUpCluster(Array(repeating: MadeUpNode(), count: 8))
    var memory = slow
    for node in memory.nodes.indices {
      memory.nodes[node].readBytesPerSecond = memory.nodes[node].readBytesPerSecond.map {
        .init(threads: $0.threads, best: 2 * $0.best, median: 2 * $0.median)
      }
    }
    var links = slow
    links.links.bytesPerSecond = links.links.bytesPerSecond.map { $0.map { 2 * $0 } }
    let steps = run(slow, placement).steps
    for cluster in [memory, links] {
      #expect(zip(run(cluster, placement).steps, steps).allSatisfy { $0 <= $1 })
      #expect(run(cluster, placement).steps != steps)
    }
  }

  @Test("The more uneven the use of experts, the fewer of them a batch reads")
  func skew() throws {
    let (cluster, placement) = (
      madeUpCluster(Array(repeating: MadeUpNode(), count: 8)), try Placement.striped(experts: 256, ranks: 8)
    )
    let runs = [0.01, 0.7, 1.5].map { run(cluster, placement, sequences: 16, skew: $0) }
    let experts = runs.map { $0.expertSeconds.reduce(0, +) }
    #expect(experts[0] > experts[1] && experts[1] > experts[2], "\(experts)")
    // In a layer the favourites get most visits.
    let visits = RoutingSample(visits: 64, sequences: 1, Self.r1, skew: 1.5, gates: .uniform, seed: 3)
    let first = stride(from: 0, to: visits.tokens, by: 58).flatMap { visits.experts[$0 * 8..<($0 + 1) * 8] }
    let counts = Dictionary(grouping: first, by: \.self).mapValues(\.count).values.sorted(by: >)
    #expect(counts.prefix(8).reduce(0, +) > first.count / 3, "\(counts)")
  }

  @Test("A thousand ranks take no more than seconds", .timeLimit(.minutes(1)))
  func large() throws {
    let placement = try Placement.contiguous(experts: 256, ranks: 1000)
    let virtual = run(madeUpCluster(Array(repeating: MadeUpNode(), count: 1000)), placement, generated: 4)
    #expect(virtual.timesBusiest.reduce(0, +) == 4 * 58 && virtual.tokensPerSecond > 0)
    #expect(virtual.expertsOnBusiestRank == 1)
  }

  @Test("Visits of a record come in the order of its tokens")
  func replay() throws {
    // Two tokens, three layers, k = 2 of 4: what each visit is shows in its experts.
    let visits = [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]] as [[UInt16]]
    var bytes = Array(
      (#"{"flotilla_routing":1,"model":"m","checkpoint":"0","phantom":false,"experts":4,"groups":1,"#
        + #""experts_per_token":2,"layers":[1,2,3]}"# + "\n").utf8)
    let block: [UInt8] = [2, 0, 0, 0, 0, 0, 0, 0] + visits.joined().map { UInt8($0) }
    bytes += block + CRC.bytes(of: block)
    let record = try RoutingRecord(bytes, file: "r")
    let one = RoutingSample(visits: 3, sequences: 1, of: record)
    #expect(one.experts == Array((visits + visits[..<3]).joined()))
    let two = RoutingSample(visits: 1, sequences: 2, of: record)
    #expect(two.experts == Array([0, 3, 1, 4, 2, 5].map { visits[$0] }.joined()))
  }
}

/// CRC-32 as zlib has it, bit by bit: another way than the reader's.
private enum CRC {
  static func bytes(of data: [UInt8]) -> [UInt8] {
    var state: UInt32 = ~0
    for byte in data {
      state ^= UInt32(byte)
      for _ in 0..<8 { state = state & 1 == 1 ? 0xEDB8_8320 ^ state >> 1 : state >> 1 }
    }
    return (0..<4).map { UInt8(truncatingIfNeeded: ~state >> (8 * $0)) }
  }
}
