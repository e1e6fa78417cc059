/// Which part of a prepared model a bundle holds. None depends on a placement.
public enum BundleName: Hashable, Sendable {
  /// What the coordinator needs: embedding, attention, norms, dense layers, shared experts, head.
  case dense
  /// The gates of all layers. Small, and of use wherever the router runs.
  case gates
  /// Multi-token-prediction layers as the source stores them, which nothing runs yet.
  case mtp
  /// One routed expert id, all layers.
  case expert(Int)

  /// "dense", "gates", "mtp", "expert-007".
  public var text: String {
    switch self {
    case .dense: return "dense"
    case .gates: return "gates"
    case .mtp: return "mtp"
    case .expert(let id):
      let digits = String(id)
      return "expert-" + String(repeating: "0", count: max(0, 3 - digits.count)) + digits
    }
  }

  /// Reads exactly what ``text`` writes.
  public init?(_ text: String) {
    switch text {
    case "dense": self = .dense
    case "gates": self = .gates
    case "mtp": self = .mtp
    default:
      let digits = text.dropFirst("expert-".count)
      guard let id = Int(digits), id >= 0, BundleName.expert(id).text == text else { return nil }
      self = .expert(id)
    }
  }

  /// Of the bundle's file.
  public var fileName: String { text + ".bundle" }
  /// Of the file while it is being written.
  var partialName: String { ".\(fileName).part" }
}

extension BundleName: Comparable {
  private var order: Int {
    switch self {
    case .dense: -3
    case .gates: -2
    case .mtp: -1
    case .expert(let id): id
    }
  }

  public static func < (left: BundleName, right: BundleName) -> Bool { left.order < right.order }
}
