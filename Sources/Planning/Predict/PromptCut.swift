import ExpertParallel

/// How a chunk of a prompt is cut into parts that overlap.
struct PromptCut {
  let positions: [Range<Int>]
  /// Of the largest part.
  let rows: Int
  /// Whether experts live on other ranks than the coordinator.
  let isSpread: Bool
  var parts: Int { positions.count }

  /// Parts of fewer rows are not made.
  private static let leastRows = 64

  init(_ chunk: Range<Int>, _ workload: Workload, _ placement: Placement) {
    isSpread = placement.hosts != [placement.coordinator]
    let parts = max(1, min(isSpread ? workload.microBatches : 1, chunk.count / Self.leastRows))
    rows = (chunk.count + parts - 1) / parts
    let cuts = (0...parts).map { chunk.lowerBound + $0 * chunk.count / parts }
    positions = zip(cuts, cuts.dropFirst()).map { $0..<$1 }
  }
}

extension Phase {
  init(_ kind: Kind, _ work: Work, rows: Int, on speed: RankSpeed, _ efficiency: Efficiency) {
    self.init(kind, work, rows: rows, speed.duration(work, rows: rows, efficiency))
  }
}

extension RunModel {
  /// Attention of one layer over a prompt's rows at these positions.
  func promptAttention(_ positions: Range<Int>, _ speed: RankSpeed) -> Phase {
    var sum = Phase(.attention, costs.attention, rows: positions.count, on: speed, efficiency)
    // Keys and values of all positions so far are expanded again.
    sum.add(Phase(.attention, costs.expanded, rows: positions.upperBound, on: speed, efficiency), times: 1)
    let pairs = Double(positions.count) * Double(positions.lowerBound + positions.upperBound + 1) / 2
    var own = Phase(.attention)
    own.multiplyAdds = pairs * costs.expandedMultiplyAdds
    own.seconds = speed.expanded.seconds(
      pairs: pairs * Double(costs.configuration.heads), multiplyAdds: own.multiplyAdds)
    (own.computingSeconds, own.floatSeconds, own.longerSeconds) = (own.seconds, own.seconds, own.seconds)
    own.floatMultiplyAdds = own.multiplyAdds
    sum.add(own, times: 1)
    return sum
  }
}
