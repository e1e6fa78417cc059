import DeepSeek
import ExpertParallel
import Inference
import Kernels
import Planning
import TestSupport
import Testing

@Suite("Work along rows")
struct ElementTests {
  @Test("Numbers that pass through steps between products, counted by hand for one shape")
  func counts() {
    // Hidden 256, query rank 192, latents 128, 8 heads of 32 + 16 and values of 32; 768 in the dense layer, 112 in
    // experts.
    let mini = costs(.mini, WeightFormats(.q8_0))
    func expect(_ elements: Elements, _ norm: Double, _ encode: Double, _ add: Double, _ activate: Double) {
      let found = ElementwiseTrial.Step.allCases.map { elements.count($0) }
      #expect(found == [norm, encode, add, activate], "\(found)")
    }
    expect(mini.attention.elements, 2 * 256 + 192 + 128, 256 + 192 + 256, 128 + 9 * 16 + 256, 0)
    expect(mini.absorbed.tiledElements, 0, 8 * (32 + 128), 8 * 128, 0)
    expect(mini.expanded.elements, 0, 128, 128, 0)
    expect(mini.expanded.tiledElements, 0, 0, 8 * 32, 0)
    expect(mini.dense.elements, 0, 256, 256, 0)
    expect(mini.dense.tiledElements, 0, 768, 0, 768)
    expect(mini.shared.elements, 0, 256, 2 * 256, 0)
    expect(mini.shared.tiledElements, 0, 112, 0, 112)
    expect(mini.expert.tiledElements, 0, 112, 64 + 2 * 256, 112)
    expect(mini.gate.elements, 0, 256, 256 + 64, 0)
    expect(mini.head.elements, 256, 256, 0, 0)
    // Products of floats take rows as they are.
    let floats = costs(.mini, WeightFormats(.bf16))
    #expect([floats.attention, floats.dense, floats.expert].allSatisfy { $0.tiledElements.count(.encode) == 0 })
    #expect(floats.attention.elements.count(.encode) == 0 && floats.expert.tiledElements.count(.add) == 3 * 256)
  }

  /// Seconds of a prompt of 512 tokens and of a step of 16 on a node where every number costs so much.
  private func predicted(perNumber: Double?, perRow: Double = 0, threads: [Int] = [1, 4]) throws -> (Double, Double) {
    var cluster = madeUpCluster([MadeUpNode()])
    let attention = Calibration.AttentionSpeed.sizes.map {
      Calibration.AttentionSpeed(
        form: $0.form, content: $0.content, rotary: $0.rotary, value: $0.value, multiplyAddsPerSecond: 1e11)
    }
    cluster.nodes[0].costs = threads.map { threads in
      let steps = perNumber.map { perNumber in
        ElementwiseTrial.Step.allCases.map {
          Calibration.ElementwiseCost(
            step: $0, secondsPerNumber: perNumber / Double(threads), secondsPerRow: perRow / Double(threads))
        }
      }
      return .init(threads: threads, secondsPerJob: 1e-6, attention: attention, elementwise: steps)
    }
    let found = Prediction(
      of: costs(.bench3B), placement: try Placement(owners: .init(repeating: 0, count: 64), ranks: 1),
      layout: RankLayout(cluster: cluster, nodes: [0]),
      workload: Workload(prompt: 512, generated: 2, sequences: 16),
      sample: RoutingSample(costs(.bench3B).configuration, tokens: 512))
    return (try #require(found.prefill).seconds, found.decode.secondsPerStep)
  }

  @Test("A prediction grows with what a number and a row cost, by as much as there are")
  func grows() throws {
    let none = try predicted(perNumber: 0)
    let some = try predicted(perNumber: 1e-9)
    let more = try predicted(perNumber: 3e-9)
    #expect(some.0 > none.0 && some.1 > none.1)
    #expect(abs((more.0 - none.0) / (some.0 - none.0) - 3) < 1e-6)
    #expect(abs((more.1 - none.1) / (some.1 - none.1) - 3) < 1e-6)
    let rows = try predicted(perNumber: 0, perRow: 1e-6)
    #expect(rows.0 > none.0 && rows.1 > none.1)
    // Seven layers of eight experts, each 2 x 2048 + 512 numbers to add, 1024 to activate and to encode; four threads.
    let experts: Double = 512 * 7 * 8 * (2 * 2048 + 512 + 2 * 1024)
    #expect(some.0 - none.0 > experts * 1e-9 / 4 && some.0 - none.0 < 3 * experts * 1e-9 / 4)
  }

  @Test("Few rows are one thread's, whatever the threads")
  func fewRows() throws {
    // 16 rows of some 1,000 numbers are one tile: more threads help in the tiles of products only.
    let (alone, four) = (try predicted(perNumber: 1e-9, threads: [1]), try predicted(perNumber: 1e-9))
    #expect(four.0 < alone.0 && four.1 < alone.1)
    let (none, fast) = (try predicted(perNumber: 0), try predicted(perNumber: 1e-9, threads: [1, 4]))
    let inJobs = costs(.bench3B).attention.elements.count * 8 * 16 * 1e-9
    #expect(fast.1 - none.1 > inJobs)
  }

  @Test("What was not measured is assumed, and said to be")
  func assumed() throws {
    let (measured, old) = (try predicted(perNumber: 0), try predicted(perNumber: nil))
    #expect(old.0 > measured.0 && old.1 > measured.1)
    var cluster = madeUpCluster([MadeUpNode()])
    #expect(Assumptions(cluster).assumesElements)
    cluster.nodes[0].costs = [
      .init(
        threads: 1, secondsPerJob: 1e-6, attention: [],
        elementwise: ElementwiseTrial.Step.allCases.map { .init(step: $0, secondsPerNumber: 0, secondsPerRow: 0) })
    ]
    #expect(!Assumptions(cluster).assumesElements)
    cluster.nodes[0].costs?[0].elementwise = nil
    #expect(Assumptions(cluster).assumesElements)
  }

  /// Seconds of a step of `mini` in q8_0 on a node with a cache for all of it.
  private func step(threads: Int, _ change: (inout ClusterDescription.Node) -> Void) throws -> Double {
    let model = costs(.mini, WeightFormats(.q8_0))
    var cluster = madeUpCluster([MadeUpNode()])
    change(&cluster.nodes[0])
    return Prediction(
      of: model, placement: try Placement(owners: .init(repeating: 0, count: 32), ranks: 1),
      layout: RankLayout(cluster: cluster, nodes: [0], threads: [threads]),
      workload: Workload(prompt: 0, generated: 2), sample: RoutingSample(model.configuration, tokens: 512)
    ).decode.secondsPerStep
  }

  /// Products of one thread do 50 billion multiply-adds a second, those of four 200.
  private func products(cached: Double?, four: Double = 200e9) -> [Calibration.ProductSpeed] {
    WeightFormat.allCases.flatMap { format in
      [(1, 50e9), (4, four)].map { threads, speed in
        Calibration.ProductSpeed(
          format: format, threads: threads, streamedBytesPerSecond: 20e9,
          multiplyAdds: Calibration.ProductSpeed.rows.map { .init(rows: $0, perSecond: speed) },
          cachedBytesPerSecond: cached)
      }
    }
  }

  @Test("Weights in the last-level cache are read from there, as fast as was measured")
  func cached() throws {
    func seconds(_ cached: Double?, cacheBytes: Int?) throws -> Double {
      try step(threads: 4) { node in
        node.products = products(cached: cached, four: 1e15)
        node.cacheBytes = cacheBytes
      }
    }
    let memory = try seconds(40e9, cacheBytes: nil)
    let (slow, fast) = (try seconds(40e9, cacheBytes: 64 << 20), try seconds(80e9, cacheBytes: 64 << 20))
    let (unknown, noise) = (try seconds(nil, cacheBytes: 64 << 20), try seconds(1e9, cacheBytes: 64 << 20))
    // Never slower than memory, whatever was measured.
    #expect(unknown < fast && fast < slow && slow < memory && noise == memory)
    // 20 to 40 GB/s saves twice what 40 to 80 does, but for what single products take on one thread.
    #expect((1.5..<2.5).contains((memory - slow) / (slow - fast)))
  }

  @Test("A product smaller than a tile is one thread's, whatever the threads")
  func smallProducts() throws {
    func seconds(_ threads: Int, four: Double) throws -> Double {
      try step(threads: threads) { node in
        node.products = products(cached: nil, four: four)
        node.cacheBytes = 64 << 20
      }
    }
    // 0.22 million multiply-adds of attention's products in each of eight layers: one thread's, even if others were free.
    let attention = 8 * costs(.mini, WeightFormats(.q8_0)).attention.multiplyAdds.sum / 50e9
    let (one, four) = (try seconds(1, four: 200e9), try seconds(4, four: 200e9))
    let free = try seconds(4, four: 1e15)
    #expect(free > attention && four < one)
  }
}
