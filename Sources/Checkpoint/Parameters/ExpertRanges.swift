/// Expert ids as people write them: "0-3,7,9-10".
public enum ExpertRanges {
  /// - Parameters:
  ///   - experts: ascending.
  ///   - most: the most ranges to name.
  public static func text(_ experts: [Int], most: Int = .max) -> String {
    var ranges: [ClosedRange<Int>] = []
    for expert in experts {
      if let last = ranges.last, last.upperBound + 1 == expert {
        ranges[ranges.count - 1] = last.lowerBound...expert
      } else {
        ranges.append(expert...expert)
      }
    }
    let named = ranges.prefix(most).map { range in
      range.count == 1 ? "\(range.lowerBound)" : "\(range.lowerBound)-\(range.upperBound)"
    }
    return named.joined(separator: ",") + (ranges.count > most ? ",…" : "")
  }

  /// "5" or "5-9", decimal digits only. Nil where it is neither, or does not fit an `Int`.
  public static func parse(_ text: ArraySlice<UInt8>) -> (first: Int, last: Int)? {
    let ends = text.split(separator: UInt8(ascii: "-"), maxSplits: 1, omittingEmptySubsequences: false)
    guard let first = number(ends[0]) else { return nil }
    if ends.count == 1 { return (first, first) }
    guard let last = number(ends[1]) else { return nil }
    return (first, last)
  }

  private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
    guard !digits.isEmpty, digits.count <= 18 else { return nil }
    var value = 0
    for digit in digits {
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
      value = value * 10 + Int(digit - UInt8(ascii: "0"))
    }
    return value
  }

  /// The numbers of "0-31,40", ascending; nil where the text is something else or names one twice.
  ///
  /// - Parameter limit: all numbers are below.
  public static func experts(_ text: String, below limit: Int) -> [Int]? {
    var chosen: Set<Int> = []
    for item in Array(text.utf8).split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
      guard let (first, last) = parse(item), first <= last, last < limit else { return nil }
      for expert in first...last where !chosen.insert(expert).inserted { return nil }
    }
    return chosen.sorted()
  }
}
