extension BundleName {
  /// The words of those that are not experts, and the numbers of those that are.
  public static func sorted(_ bundles: [BundleName]) -> (others: [String], experts: [Int]) {
    let experts = bundles.compactMap { if case .expert(let id) = $0 { id } else { nil } }
    return (bundles.filter { if case .expert = $0 { false } else { true } }.map(\.text), experts)
  }

  /// Bundles as people write them: "dense,gates,0-31,40"; numbers are experts.
  ///
  /// - Parameters:
  ///   - bundles: ascending.
  ///   - most: the most ranges of experts to name.
  public static func list(_ bundles: [BundleName], most: Int = .max) -> String {
    let (others, experts) = sorted(bundles)
    return (others + (experts.isEmpty ? [] : [ExpertRanges.text(experts, most: most)])).joined(separator: ",")
  }

  /// What stands for no bundle at all.
  public static let none = "none"

  /// Reads what ``list(_:most:)`` writes, and ``none``.
  ///
  /// - Parameter limit: all experts are below.
  /// - Returns: ascending; nil where the text is something else or names one twice.
  public static func bundles(_ list: String, below limit: Int) -> [BundleName]? {
    if list == none { return [] }
    var chosen: Set<BundleName> = []
    for item in list.split(separator: ",", omittingEmptySubsequences: false) {
      switch item {
      case "dense", "gates", "mtp":
        guard chosen.insert(BundleName(String(item))!).inserted else { return nil }
      default:
        guard let experts = ExpertRanges.experts(String(item), below: limit) else { return nil }
        for id in experts where !chosen.insert(.expert(id)).inserted { return nil }
      }
    }
    return chosen.sorted()
  }
}
