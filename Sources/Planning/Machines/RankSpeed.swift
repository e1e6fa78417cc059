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
  /// The same of one thread.
  public var productsOfOneThread: [ByFormat]
  /// Bytes of weights from the last-level cache.
  public var cached: ByFormat
  /// `[row classes]`: of reading weights and of computing with more rows than one, the part of the shorter one that the
  /// longer one does not hide.
  public var exposed: [ByFormat]
  /// `[row classes]`: seconds for each number that comes out of a product, whatever its columns.
  public var perOutput: [ByFormat]
  /// To wake the threads for a product and to wait for the last one.
  public var secondsPerJob: Double
  /// Attention of generated positions, and of a prompt's.
  public var absorbed: AttentionCost
  public var expanded: AttentionCost
  /// Of generated positions, of one thread.
  public var absorbedOfOneThread: AttentionCost
  /// Work along rows: of all threads at once, and of one.
  public var elements: ElementCost
  public var elementsOfOneThread: ElementCost
  /// Whether all weights that are read lie in the last-level cache.
  public var holdsWeightsInCache = false

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
    productsOfOneThread = products
    // Nothing, where that was not measured.
    cached = ByFormat(repeating: .infinity)
    let count = products.count
    exposed = [ByFormat](repeating: ByFormat(repeating: Efficiency.overlapLoss), count: count)
    perOutput = [ByFormat](repeating: ByFormat(), count: count)
    secondsPerJob = efficiency.secondsPerJob
    absorbed = AttentionCost(perPair: 0, perMultiplyAdd: 1 / (f32 * efficiency.attention))
    expanded = absorbed
    absorbedOfOneThread = absorbed
    elements = ElementCost(efficiency.elementwise) * (1 / Double(threads))
    elementsOfOneThread = elements
    take(node.products ?? [], threads)
    take(node.costs ?? [], threads)
    let one = threads > 1 ? RankSpeed(node, threads: 1, efficiency) : self
    (productsOfOneThread, elementsOfOneThread) = (one.products, one.elements)
    absorbedOfOneThread = one.absorbed
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

  /// What was measured with as many threads or fewer, else all.
  private static func known<Speed>(_ all: [Speed], _ count: KeyPath<Speed, Int>, upTo threads: Int) -> [Speed] {
    let fewer = all.filter { $0[keyPath: count] <= threads }
    return fewer.isEmpty ? all : fewer
  }

  /// What was measured takes the place of what was assumed: for each format the best of as many threads, or of fewer.
  private mutating func take(_ measured: [Calibration.ProductSpeed], _ threads: Int) {
    for format in WeightFormat.allCases {
      let known = Self.known(measured.filter { $0.format == format }, \.threads, upTo: threads)
      guard let most = known.map(\.streamedBytesPerSecond).max() else { continue }
      streamed[format] = most
      if let cached = known.compactMap(\.cachedBytesPerSecond).max() { self.cached[format] = max(cached, most) }
      for index in products.indices {
        let speeds = known.flatMap(\.multiplyAdds).filter { $0.rows == Calibration.ProductSpeed.rows[index] }
        products[index][format] = speeds.map(\.perSecond).max() ?? products[index][format]
      }
      let thorough = known.filter { $0.further != nil }.max { $0.threads < $1.threads }
      guard let further = thorough?.further else { continue }
      for index in products.indices {
        exposed[index][format] = further.exposed[index]
        perOutput[index][format] = further.secondsPerOutput[index]
      }
    }
  }

  /// Of as many threads, or of the most below.
  private mutating func take(_ costs: [Calibration.ThreadCosts], _ threads: Int) {
    guard let known = Self.known(costs, \.threads, upTo: threads).max(by: { $0.threads < $1.threads }) else { return }
    secondsPerJob = known.secondsPerJob
    absorbed = AttentionCost(known.attention.filter { $0.form == .absorbed }) ?? absorbed
    expanded = AttentionCost(known.attention.filter { $0.form == .expanded }) ?? expanded
    guard let all = known.elementwise else { return }
    elements = ElementCost(all)
  }

  /// At most a part of what a whole node has.
  func limited(to node: RankSpeed, part: Int) -> RankSpeed {
    let share = 1 / Double(part)
    var speed = self
    speed.read = min(read, node.read * share)
    speed.f32 = min(f32, node.f32 * share)
    speed.streamed = streamed.limited(to: node.streamed * share)
    speed.cached = cached.limited(to: node.cached * share)
    speed.products = zip(products, node.products).map { $0.limited(to: $1 * share) }
    speed.absorbed = absorbed.limited(to: node.absorbed, part: part)
    speed.expanded = expanded.limited(to: node.expanded, part: part)
    speed.elements = elements.atLeast(node.elements * Double(part))
    return speed
  }

  /// Of ranks that fill a node's threads together, whatever the rows of each.
  var ofSeveralRanks: RankSpeed {
    var speed = self
    (speed.productsOfOneThread, speed.elementsOfOneThread) = (products, elements)
    speed.absorbedOfOneThread = absorbed
    return speed
  }
}

/// Seconds of a query with one position: what it costs in any case, and each multiply-add.
public struct AttentionCost: Sendable, Equatable {
  public var perPair: Double
  public var perMultiplyAdd: Double

  public init(perPair: Double, perMultiplyAdd: Double) {
    self.perPair = perPair
    self.perMultiplyAdd = perMultiplyAdd
  }

  /// The line through a large and a small size; nil where there are not two.
  init?(_ speeds: [Calibration.AttentionSpeed]) {
    guard let large = speeds.max(by: { $0.size < $1.size }), let small = speeds.min(by: { $0.size < $1.size }),
      large.size > small.size
    else { return nil }
    let (longer, shorter) = (Self.seconds(large), Self.seconds(small))
    perMultiplyAdd = max(0, longer - shorter) / Double(large.size - small.size)
    perPair = max(0, longer - perMultiplyAdd * Double(large.size))
  }

  private static func seconds(_ speed: Calibration.AttentionSpeed) -> Double {
    Double(speed.size) / speed.multiplyAddsPerSecond
  }

  func seconds(pairs: Double, multiplyAdds: Double) -> Double { pairs * perPair + multiplyAdds * perMultiplyAdd }

  func limited(to node: AttentionCost, part: Int) -> AttentionCost {
    AttentionCost(
      perPair: max(perPair, node.perPair * Double(part)),
      perMultiplyAdd: max(perMultiplyAdd, node.perMultiplyAdd * Double(part)))
  }
}
