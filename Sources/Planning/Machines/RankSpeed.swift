import Inference
import Kernels

/// What a rank, or all ranks of a node together, can do at most. Bytes and multiply-adds a second.
public struct RankSpeed: Sendable, Equatable {
  public var read: Double
  public var int8: Double
  /// The same for products with codes wider than 4 bits.
  public var wide: Double
  public var f32: Double

  /// Of a node with so many threads, as calibrated.
  init(_ node: ClusterDescription.Node, threads: Int) {
    read = Self.speed(node.readBytesPerSecond, threads)
    int8 = Self.speed(node.multiplyAddsInt8PerSecond, threads)
    f32 = Self.speed(node.multiplyAddsF32PerSecond, threads)
    wide = int8 * (node.instructionSet == InstructionSet.avx2.rawValue ? Efficiency.wideProductsWithAVX2 : 1)
  }

  /// The best of as many threads, or of fewer.
  private static func speed(_ speeds: [Calibration.ThreadSpeed], _ threads: Int) -> Double {
    let fewer = speeds.filter { $0.threads <= threads }
    return (fewer.isEmpty ? Array(speeds.prefix(1)) : fewer).map(\.best).max() ?? .leastNormalMagnitude
  }

  /// At most a part of what a whole node has.
  func limited(to node: RankSpeed, part: Int) -> RankSpeed {
    var speed = self
    speed.read = min(read, node.read / Double(part))
    speed.int8 = min(int8, node.int8 / Double(part))
    speed.wide = min(wide, node.wide / Double(part))
    speed.f32 = min(f32, node.f32 / Double(part))
    return speed
  }
}
