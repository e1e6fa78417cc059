import Checkpoint
import DeepSeek
import Inference
import Kernels
import Planning

/// What would fit in place of what does not.
struct FittingWays {
  /// Formats of the whole model.
  let formats: [String]
  /// The same if nobody had asked who divides the dense part; nil: nobody has.
  let isUndivided: Bool?
  /// Where nothing but the coordinator's part is too large, the longest context that fits, and the most sequences; nil:
  /// none, or others help.
  let context: Int?
  let sequences: Int?
  private let denseSlices: DenseSlicing?
  private let isOfCoordinator: Bool

  /// What `--quant` takes for a whole model, the smallest first.
  private static let smaller = ["q4_K", "Q4_K_M", "q4_1", "q6_K", "q8_0", "fp8", "bf16"]

  /// - Parameters:
  ///   - search: it has no plan.
  ///   - cacheFormat: nil: the one of the weights' format.
  init(_ search: PlanSearch, _ subject: Subject, cacheFormat: CacheFormat?) {
    denseSlices = search.denseSlices
    isUndivided = denseSlices.map { _ in search.undecided.hasPlan }
    let shortage = search.shortage
    let asked = search.costs.formats.spelling
    formats = Self.smaller.filter { name in
      guard let formats = try? subject.formats(name), formats.spelling != asked else { return false }
      return search.of(ModelCosts(search.costs.configuration, formats, cacheFormat: cacheFormat)).hasPlan
    }
    isOfCoordinator =
      shortage.map { $0.missingOnCoordinator > 0 && $0.missingBytes == $0.missingOnCoordinator } ?? false
    let workload = search.workload
    let least = workload.prompt + workload.generated
    context =
      isOfCoordinator && workload.context > least ? search.largest(\.context, in: least...workload.context - 1) : nil
    sequences =
      isOfCoordinator && workload.sequences > 1 ? search.largest(\.sequences, in: 1...workload.sequences - 1) : nil
  }

  /// Nil where nothing would.
  var hint: String? {
    let undivided = isUndivided == true ? denseSlices.map { "without --dense-slices \($0.rawValue)" } : nil
    let smaller = formats.isEmpty ? nil : "with --quant " + formats.joined(separator: ", or --quant ")
    let lengths = [context.map { "with -c \($0) or less" }, sequences.map { "with --parallel \($0) or less" }]
    let ways = (lengths + [undivided, smaller]).compactMap(\.self)
    return ways.isEmpty ? nil : "it fits " + ways.joined(separator: ", or ")
  }

  /// Where nothing else is known to help.
  var purchase: String {
    isOfCoordinator
      ? "a smaller -c or --parallel, or one node with more memory: the coordinator's part lies on one"
      : "more nodes, or more memory in them"
  }
}
