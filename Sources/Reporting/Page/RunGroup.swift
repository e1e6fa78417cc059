import Foundation
import Inference

/// Runs of one model in one setup with as many tokens: repeats of each other.
struct RunGroup {
  /// Not empty.
  let records: [RunRecord]
  /// The one in the middle by speed, whose details are shown; of an even number the slower one of the two there.
  let middle: RunRecord

  private init(records: [RunRecord]) {
    self.records = records
    let sorted = records.sorted {
      ($0.rates.decode ?? $0.rates.prefill ?? 0) < ($1.rates.decode ?? $1.rates.prefill ?? 0)
    }
    middle = sorted[(sorted.count - 1) / 2]
  }

  static func groups(_ records: [RunRecord]) -> [RunGroup] {
    var groups: [(key: RunRecord, records: [RunRecord])] = []
    for record in records {
      if let index = groups.firstIndex(where: { alike($0.key, record) }) {
        groups[index].records.append(record)
      } else {
        groups.append((record, [record]))
      }
    }
    return groups.map { RunGroup(records: $0.records) }
  }

  func mapped(_ change: (RunRecord) -> RunRecord) -> RunGroup { RunGroup(records: records.map(change)) }

  /// Whatever the tokens were, as long as there were as many.
  private static func alike(_ a: RunRecord, _ b: RunRecord) -> Bool {
    var b = b
    b.tokens.logits = a.tokens.logits
    return a.model == b.model && a.setup == b.setup && a.tokens == b.tokens && a.phantom == b.phantom
      && a.ranks.map(\.host) == b.ranks.map(\.host) && a.ranks.map(\.roles) == b.ranks.map(\.roles)
      && a.flotilla == b.flotilla && a.surroundings?.binary == b.surroundings?.binary
  }

  /// Behind every time that was not a real model's.
  var mark: String { middle.phantom == true ? " PHANTOM" : "" }

  /// Over all runs.
  func median(_ value: (RunRecord) -> Double?) -> Double? { SampleStatistics.median(records.compactMap(value)) }

  /// "34.2 tokens/s", and of several runs "34.2 (33.0 to 35.1) tokens/s".
  func spread(_ value: (RunRecord) -> Double?, _ text: (Double?) -> String) -> String {
    let found = records.compactMap(value).sorted()
    guard let first = found.first, let last = found.last else { return Format.none }
    let texts = [SampleStatistics.median(found), first, last].map { text($0) }
    guard found.count > 1 else { return texts[0] + mark }
    let units = texts.map { $0.drop { $0 != " " } }
    guard Set(units).count == 1 else { return "\(texts[0]) (\(texts[1]) to \(texts[2]))\(mark)" }
    let numbers = zip(texts, units).map { $0.dropLast($1.count) }
    return "\(numbers[0]) (\(numbers[1]) to \(numbers[2]))\(units[0])\(mark)"
  }
}
