import Checkpoint
import DeepSeek
import Inference
import Planning
import TestSupport

/// What a made-up machine has.
struct MadeUpNode {
  var cpu = "made up"
  var cores = 4
  var domains = 1
  var gibibytes = 16.0
  /// Bytes a second.
  var read = 30e9
  var int8 = 600e9
  var f32 = 200e9
  var messageCost: Calibration.MessageCost?

  fileprivate func node(_ name: String) -> ClusterDescription.Node {
    func speeds(_ best: Double) -> [Calibration.ThreadSpeed] {
      [
        .init(threads: 1, best: best * 0.4, median: best * 0.4), .init(threads: cores, best: best, median: best),
      ]
    }
    let bytes = Int(gibibytes * 0x1p30)
    return .init(
      name: name, cpu: cpu, sockets: domains, domains: domains, cores: cores, processors: cores,
      memoryBytes: .init(total: bytes, available: bytes), instructionSet: "avx2", readBytesPerSecond: speeds(read),
      multiplyAddsF32PerSecond: speeds(f32), multiplyAddsInt8PerSecond: speeds(int8),
      messageCost: messageCost)
  }
}

func madeUpCluster(
  _ nodes: [MadeUpNode], latency: Double = 50e-6, bytesPerSecond: Double = 117e6
) -> ClusterDescription {
  func matrix(_ value: Double) -> [[Double]] {
    nodes.indices.map { row in nodes.indices.map { $0 == row ? 0 : value } }
  }
  return ClusterDescription(
    date: "", flotilla: "", command: "", transport: .init(mpi: ""),
    nodes: nodes.enumerated().map { $1.node("n\($0)") },
    links: .init(latencySeconds: matrix(latency), bytesPerSecond: matrix(bytesPerSecond)))
}

/// V2-Lite or bench-3b in few bits: quick to plan, with and without routing groups.
func costs(_ preset: ModelConfiguration.Preset, _ format: WeightFormats = WeightFormats(.q4_K)) -> ModelCosts {
  ModelCosts(preset.configuration, format)
}
