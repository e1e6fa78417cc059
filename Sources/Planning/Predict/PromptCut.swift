import ExpertParallel

/// How a chunk of a prompt is cut into parts that overlap.
struct PromptCut {
  let positions: [Range<Int>]
  /// Of the largest part.
  let rows: Int
  /// Whether experts live on other ranks than the coordinator.
  let isSpread: Bool
  var parts: Int { positions.count }
  /// Whether experts of one part run beside the coordinator's work for another.
  var overlaps: Bool { parts > 1 }

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
  /// Attention of one layer over all parts of a chunk.
  ///
  /// - Parameter besideExperts: whether other ranks may have experts to run meanwhile; nil: nobody is asked to divide it.
  func promptAttention(_ cut: PromptCut, _ speed: RankSpeed, besideExperts: Bool?) -> Phase {
    var sum = Phase(.attention)
    for positions in cut.positions {
      let isDivided = besideExperts.map { divides(rows: positions.count, besideExperts: $0) } ?? false
      sum.add(promptAttention(positions, speed, isDivided: isDivided), times: 1)
    }
    return sum
  }

  private func promptAttention(_ positions: Range<Int>, _ speed: RankSpeed, isDivided: Bool) -> Phase {
    let work = isDivided ? costs.attention - costs.divisibleAttention.work : costs.attention
    var sum = Phase(.attention, work, rows: positions.count, on: speed, efficiency)
    if isDivided { sum.add(divided(.attention, costs.divisibleAttention, rows: positions.count), times: 1) }
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
