import Inference

/// A machine to compare a cluster with.
public enum ReferenceServer {
  public static let name = "one server: 12 channels of DDR5-4800, 64 cores, 768 GB"

  /// Made up, not measured: what one socket of about 2023 with 64 cores and twelve channels of DDR5-4800 may have. Of
  /// the modules' 460.8 GB/s it reads 380; a core does 350 billion int8 and 90 billion f32 multiply-adds a second.
  public static let cluster = ClusterDescription(
    note: "Made up, not measured.", date: "2025-01-01T00:00:00Z", flotilla: "", command: "",
    transport: .init(mpi: ""),
    nodes: [
      .init(
        name: "server", cpu: "", sockets: 1, domains: 1, cores: 64, processors: 128,
        memoryBytes: .init(total: 824_633_720_832, available: 810_000_000_000), instructionSet: "avx512",
        readBytesPerSecond: [.init(threads: 64, best: 380e9, median: 380e9)],
        multiplyAddsF32PerSecond: [.init(threads: 64, best: 64 * 90e9, median: 64 * 90e9)],
        multiplyAddsInt8PerSecond: [.init(threads: 64, best: 64 * 350e9, median: 64 * 350e9)])
    ], links: .init(latencySeconds: [[0]], bytesPerSecond: [[0]]))
}

/// What else one could run the model on.
public struct Comparison: Sendable {
  public let name: String
  /// With one sequence.
  public let decode: Double?
  /// With the workload's.
  public let batch: Double?
  public let prefill: Double?

  /// A layer pipeline on the same nodes, one node of theirs that had the memory, and a large server; ranks of a node
  /// divide the dense part where they may in the plan.
  public static func all(_ plan: Plan) -> [Comparison] {
    let pipeline = LayerPipeline(plan)
    let speeds = plan.cluster.nodes.map { RankSpeed($0, threads: .max, plan.efficiency).read }
    let fastest = plan.cluster.nodes.indices.max {
      speeds[$0] < speeds[$1]
    }
    let machines = [
      ("one of these nodes, if it had the memory", plan.cluster.alone(fastest ?? 0)),
      (ReferenceServer.name, ReferenceServer.cluster),
    ]
    return [
      Comparison(
        name: "layers in a row on the same nodes", decode: pipeline.decodeTokensPerSecond,
        batch: pipeline.batchTokensPerSecond, prefill: pipeline.prefillTokensPerSecond)
    ]
      + machines.map { name, cluster in
        func predict(_ sequences: Int) -> Prediction? {
          try? PlanSearch(
            plan.costs, on: cluster, workload: plan.workload.with(sequences: sequences), sample: plan.sample,
            denseSlices: plan.denseSlices, efficiency: plan.efficiency
          ).best().prediction
        }
        let one = predict(1)
        return Comparison(
          name: name, decode: one?.decode.tokensPerSecond,
          batch: predict(plan.workload.sequences)?.decode.tokensPerSecond, prefill: one?.prefill?.tokensPerSecond)
      }
  }
}
