import Planning

/// What a page says about messages and the processors' work for them.
enum MessagesNote {
  /// Whose was not calibrated; nothing without a prompt, or where all was.
  static func text(_ layout: RankLayout, _ workload: Workload) -> String {
    let nodes = layout.nodesWithoutMessageCost
    guard workload.prompt > 0, !nodes.isEmpty else { return "" }
    return " Not calibrated, and counted as nothing: what a prompt's messages take from the processors of "
      + "\(FitGroup.ranges(nodes, layout.cluster)) beside the wire."
  }

  /// How to read sums that have messages.
  static func legend(_ parts: [PromptPart]) -> String {
    guard parts.contains(where: { $0.phase.carryingSeconds > 0 }) else { return "" }
    return " (ns: what a byte to or from another node takes from a processor, divided by threads)"
  }

  static func whatIf(_ layout: RankLayout) -> String {
    layout.cluster.nodes.contains { $0.messageCost != nil }
      ? " What a byte takes from the processors stays as calibrated." : ""
  }
}
