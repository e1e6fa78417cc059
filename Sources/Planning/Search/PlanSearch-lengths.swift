extension PlanSearch {
  /// Where nothing is missing but on the coordinator's node: the largest value of a length of the workload for which
  /// there is a plan; nil where there is none.
  ///
  /// - Parameter range: values to try; the workload's own is too large.
  public func largest(_ length: WritableKeyPath<Workload, Int>, in range: ClosedRange<Int>) -> Int? {
    func search(_ value: Int) -> PlanSearch {
      var workload = workload
      workload[keyPath: length] = value
      return with(workload: workload)
    }
    var (low, high) = (range.lowerBound, range.upperBound)
    while low < high {
      let middle = low + (high - low + 1) / 2
      if search(middle).shortage == nil { low = middle } else { high = middle - 1 }
    }
    return search(low).hasPlan ? low : nil
  }
}
