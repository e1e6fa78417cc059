import DeepSeek

/// A dispatch as its host computes it: rows grouped by expert, so that each expert's weights are read once.
struct ExpertGroups: Sendable {
  /// The experts asked for, ascending, with their rows.
  private(set) var experts: [ExpertRows.Group] = []
  /// For every row, grouped by expert: the entry of the dispatch it comes from, ascending within an expert.
  private(set) var entries: [Int32] = []
  /// For every row: the weight of the expert's output.
  private(set) var weights: [Float] = []
  /// `[entries, k]`: the row of an asked slot.
  private(set) var rowOfSlot: [UInt32] = []
  /// `[E + 1]`: where each expert's rows start.
  private var starts: [Int] = []
  private var cursors: [Int] = []

  init() {}

  var rowCount: Int { entries.count }

  /// Groups anew, in the same memory.
  mutating func fill(_ dispatch: DispatchMessage, experts expertCount: Int) {
    starts.removeAll(keepingCapacity: true)
    starts.append(contentsOf: repeatElement(0, count: expertCount + 1))
    dispatch.forEachSlot { _, slot in starts[Int(dispatch.experts[slot]) + 1] += 1 }
    experts.removeAll(keepingCapacity: true)
    for expert in 0..<expertCount {
      let count = starts[expert + 1]
      starts[expert + 1] += starts[expert]
      if count > 0 { experts.append(.init(expert: expert, rows: starts[expert]..<starts[expert + 1])) }
    }
    cursors.removeAll(keepingCapacity: true)
    cursors.append(contentsOf: starts)
    Self.resize(&entries, to: starts[expertCount])
    Self.resize(&weights, to: starts[expertCount])
    Self.resize(&rowOfSlot, to: dispatch.experts.count)
    dispatch.forEachSlot { entry, slot in
      let expert = Int(dispatch.experts[slot])
      let row = cursors[expert]
      cursors[expert] += 1
      entries[row] = Int32(entry)
      weights[row] = dispatch.weights[slot]
      rowOfSlot[slot] = UInt32(row)
    }
  }

  private static func resize<Element: Numeric>(_ array: inout [Element], to count: Int) {
    if array.count > count {
      array.removeLast(array.count - count)
    } else {
      array.append(contentsOf: repeatElement(0, count: count - array.count))
    }
  }
}
