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
  private let denseSlices: DenseSlicing?

  private static let smaller: [WeightFormat] = [.q4_K, .q4_1, .q6_K, .q8_0]

  /// - Parameters:
  ///   - search: it has no plan.
  ///   - cacheFormat: nil: the one of the weights' format.
  init(_ search: PlanSearch, cacheFormat: CacheFormat?) {
    denseSlices = search.denseSlices
    isUndivided = denseSlices.map { _ in search.undecided.hasPlan }
    formats = Self.smaller.filter { format in
      let costs = ModelCosts(search.costs.configuration, WeightFormats(format), cacheFormat: cacheFormat)
      return search.of(costs).hasPlan
    }.map(\.rawValue)
  }

  /// Nil where nothing would.
  var hint: String? {
    let undivided = isUndivided == true ? denseSlices.map { "without --dense-slices \($0.rawValue)" } : nil
    let smaller = formats.isEmpty ? nil : "with --quant " + formats.joined(separator: ", or --quant ")
    let ways = [undivided, smaller].compactMap(\.self)
    return ways.isEmpty ? nil : "it fits " + ways.joined(separator: ", or ")
  }
}
