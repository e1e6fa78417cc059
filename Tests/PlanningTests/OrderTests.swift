import Inference
import Planning
import Testing

/// A plan is about machines, not about the order in which a file has them.
@Suite("Where in the file a node stands")
struct OrderTests {
  private static let weak: [(name: String, node: MadeUpNode)] = [
    ("reads slowly", MadeUpNode(read: 5e9)), ("computes slowly", MadeUpNode(int8: 60e9, f32: 20e9)),
    ("has hardly any memory", MadeUpNode(gibibytes: 0.25)),
  ]

  private func seconds(_ cluster: ClusterDescription) throws -> Double {
    try PlanSearch(
      costs(.v2Lite), on: cluster, workload: Workload(prompt: 128, generated: 32)
    ).best().prediction.seconds
  }

  @Test("A weak node makes no plan slower, wherever it stands", arguments: weak.indices)
  func weakNode(index: Int) throws {
    let strong = MadeUpNode()
    let without = try seconds(madeUpCluster([strong, strong, strong]))
    for place in 0...3 {
      var nodes = [strong, strong, strong]
      nodes.insert(Self.weak[index].node, at: place)
      #expect(try seconds(madeUpCluster(nodes)) <= without, "\(Self.weak[index].name), at \(place)")
    }
  }

  @Test("A node behind a slow link makes no plan slower, wherever it stands")
  func slowLink() throws {
    let without = try seconds(madeUpCluster(Array(repeating: MadeUpNode(), count: 3)))
    for place in 0...3 {
      var cluster = madeUpCluster(Array(repeating: MadeUpNode(), count: 4))
      for other in 0...3 where other != place {
        cluster.links.bytesPerSecond[place][other] = 10e6
        cluster.links.bytesPerSecond[other][place] = 10e6
      }
      #expect(try seconds(cluster) <= without, "at \(place)")
    }
  }

  @Test("A sample shorter than a prompt is used again")
  func shortSample() throws {
    let costs = costs(.v2Lite)
    let workload = Workload(prompt: 512, generated: 1)
    func speed(_ tokens: Int) throws -> Double {
      let sample = RoutingSample(costs.configuration, tokens: tokens)
      let plan = try PlanSearch(costs, on: madeUpCluster([MadeUpNode()]), workload: workload, sample: sample).best()
      return try #require(plan.prediction.prefill).tokensPerSecond
    }
    // Repeated tokens reach somewhat fewer experts, never a fraction of the rows.
    let (short, long) = (try speed(128), try speed(2048))
    #expect(abs(short / long - 1) < 0.05)
  }
}
