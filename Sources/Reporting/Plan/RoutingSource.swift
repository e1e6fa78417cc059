import Inference
import Planning

/// Where the experts come from that the tokens of a prediction visit.
public enum RoutingSource: Sendable, CustomStringConvertible {
  /// As many tokens as ``PlanSearch/sampleTokens`` that choose so.
  case gates(RoutingSample.Gates)
  /// A run's, as it was recorded.
  case record(file: String, tokens: Int, isPhantom: Bool)

  /// - Parameter file: as somebody wrote it.
  public init(_ record: RoutingRecord, file: String) {
    self = .record(file: file, tokens: record.tokens, isPhantom: record.header.isPhantom)
  }

  /// To be put behind "experts".
  public var description: String {
    switch self {
    case .gates(.uniform):
      "over \(PlanSearch.sampleTokens) tokens that choose any groups and any experts in them equally often; real routing "
        + "is less even"
    case .gates(.independent):
      "over \(PlanSearch.sampleTokens) tokens that choose independently, as gates with random weights do; real routing is "
        + "less even"
    case .record(let file, let tokens, let isPhantom):
      "as recorded in \(printable(file, limit: 200)), \(Format.exact(tokens)) token\(tokens == 1 ? "" : "s")"
        + (isPhantom ? " of a PHANTOM run, whose gates are random" : "")
    }
  }
}
