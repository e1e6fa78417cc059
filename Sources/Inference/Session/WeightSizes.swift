import Checkpoint
import DeepSeek
import Kernels

/// Bytes of what ranks hold of a model, in the format that each matrix really runs in.
public struct WeightSizes: Sendable {
  /// Routed experts by id, all layers. `[experts]`
  public private(set) var experts: [Int]
  /// All gates, for the router.
  public private(set) var gates = 0
  /// What the coordinator holds: attention, norms, dense layers, shared experts, head. Without the embedding, which
  /// stays in its file.
  public private(set) var dense = 0
  /// Of the dense part, what several ranks may divide: each holds its share once more.
  public private(set) var divisible = 0
  /// Whether a run divides it without being asked: messages for small products take longer than their weights.
  public private(set) var isWorthDividing = false
  private static let leastBytesOfProduct = 512 << 10
  /// Of the dense part, what is there a second time: attention has the keys of `kv_b_proj` both ways.
  private var repeated = 0

  /// What each of so many ranks that divide the dense part needs of it, in bytes: whole panels, so not to the byte. The
  /// coordinator has it in any case.
  public func shareBytes(ranks: Int) -> Int { (divisible + ranks - 1) / ranks }

  /// Every weight once, without the embedding.
  var eachOnce: Int { experts.reduce(dense + gates - repeated, +) }

  public init(_ configuration: ModelConfiguration, _ formats: WeightFormats) {
    var experts = [Int](repeating: 0, count: configuration.routedExperts)
    var (dense, gates, repeated, divisible, products) = (0, 0, 0, 0, 0)
    HeldMatrix.forEach(configuration, formats) { matrix in
      if matrix.isDivisible { (divisible, products) = (divisible + matrix.bytes, products + matrix.count) }
      switch matrix.kind {
      case .expert(let id): experts[id] += matrix.bytes
      case .gate: gates += matrix.bytes
      case .keysTransposed:
        dense += matrix.bytes
        repeated += matrix.bytes
      case .attention, .keys, .values, .dense, .shared, .head: dense += matrix.bytes
      }
    }
    let biases = configuration.selection == .biasedGroups ? configuration.moeLayers.count * experts.count : 0
    let norms = ParameterInventory(configuration).countByPart[.norms, default: 0]
    self.experts = experts
    self.gates = gates + biases * MemoryLayout<Float>.stride
    self.dense = dense + norms * MemoryLayout<Float>.stride
    self.repeated = repeated
    self.divisible = divisible
    isWorthDividing = divisible >= products * Self.leastBytesOfProduct
  }
}
