import Inference
import Kernels

/// What a rank, or all ranks of a node together, can do. Bytes and multiply-adds a second.
public struct RankSpeed: Sendable, Equatable {
  /// At most: reading, and multiply-adds in f32.
  public var read: Double
  public var f32: Double
  /// What products reach, by format of their weights: bytes of weights from memory with few rows of input, and
  /// `[row classes]` multiply-adds with weights at hand.
  public var streamed: ByFormat
  public var products: [ByFormat]

  /// Of a node with so many threads, as calibrated.
  ///
  /// - Parameter efficiency: what products reach of peaks, where only these were measured.
  init(_ node: ClusterDescription.Node, threads: Int, _ efficiency: Efficiency) {
    let read = Self.speed(node.readBytesPerSecond, threads)
    let f32 = Self.speed(node.multiplyAddsF32PerSecond, threads)
    let int8 = Self.speed(node.multiplyAddsInt8PerSecond, threads)
    let wide = node.instructionSet == InstructionSet.avx2.rawValue ? Efficiency.wideProductsWithAVX2 : 1
    (self.read, self.f32) = (read, f32)
    streamed = ByFormat(repeating: read * efficiency.memory)
    products = Calibration.ProductSpeed.rows.map { rows in
      var speeds = ByFormat(repeating: f32 * efficiency.floatProducts)
      let block = int8 * efficiency.blockProduct(rows: rows)
      (speeds[.q4_K], speeds[.q4_1], speeds[.q6_K], speeds[.q8_0]) = (block, block, block * wide, block * wide)
      return speeds
    }
    take(node.products ?? [], threads)
  }

  /// Numbers of rows for which products have about the same speed: a place in ``products``.
  static func rowClass(_ rows: Int) -> Int {
    (Calibration.ProductSpeed.rows.firstIndex { $0 > rows } ?? Calibration.ProductSpeed.rows.count) - 1
  }

  static let rowClasses = Calibration.ProductSpeed.rows.count

  /// The best of as many threads, or of fewer.
  private static func speed(_ speeds: [Calibration.ThreadSpeed], _ threads: Int) -> Double {
    let fewer = speeds.filter { $0.threads <= threads }
    return (fewer.isEmpty ? Array(speeds.prefix(1)) : fewer).map(\.best).max() ?? .leastNormalMagnitude
  }

  /// What was measured takes the place of what was assumed: for each format the best of as many threads, or of fewer.
  private mutating func take(_ measured: [Calibration.ProductSpeed], _ threads: Int) {
    for format in WeightFormat.allCases {
      let all = measured.filter { $0.format == format }
      let fewer = all.filter { $0.threads <= threads }
      let known = fewer.isEmpty ? all : fewer
      guard let most = known.map(\.streamedBytesPerSecond).max() else { continue }
      streamed[format] = most
      for index in products.indices {
        let speeds = known.flatMap(\.multiplyAdds).filter { $0.rows == Calibration.ProductSpeed.rows[index] }
        products[index][format] = speeds.map(\.perSecond).max() ?? products[index][format]
      }
    }
  }

  /// At most a part of what a whole node has.
  func limited(to node: RankSpeed, part: Int) -> RankSpeed {
    let share = 1 / Double(part)
    var speed = self
    speed.read = min(read, node.read * share)
    speed.f32 = min(f32, node.f32 * share)
    speed.streamed = streamed.limited(to: node.streamed * share)
    speed.products = zip(products, node.products).map { $0.limited(to: $1 * share) }
    return speed
  }
}
