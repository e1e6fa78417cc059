import Foundation
import Planning

/// How a phase's time comes about, to be checked by hand.
enum PhaseSum {
  /// A step of decode, part by part.
  static func table(_ decode: DecodePrediction) -> TextTable {
    var table = TextTable([.init("Part", .left), .init("ms PREDICTED"), .init("Share"), .init("Sum", .left)])
    for phase in decode.phases where phase.seconds > 0 {
      table.append([
        phase.kind.rawValue, Format.significant(phase.seconds * 1e3),
        Format.share(phase.seconds / decode.secondsPerStep), text(phase),
      ])
    }
    table.append(["all", Format.significant(decode.secondsPerStep * 1e3), "100 %", ""])
    return table
  }

  /// The sum; what would not show in its last digit is left out.
  static func text(_ phase: Phase) -> String {
    let least = (phase.seconds + phase.hiddenSeconds) * 0.000_5
    func parts(_ parts: [(Double, String)]) -> [String] {
      parts.filter { $0.0 > least }.map { "\(Format.seconds($0.0)) \($0.1)" }
    }
    let work = work(phase) + unhidden(phase, least) + elements(phase, least)
    let adding = phase.kind == .combine ? work.map { $0 + " to add them up" } : []
    var sum = phase.kind == .combine ? [] : work
    if phase.messages > 0 {
      let each = (phase.latencySeconds - phase.handlingSeconds) / phase.messages
      sum.append("\(Format.significant(phase.messages)) messages x \(Format.seconds(each))")
    }
    sum += parts([(phase.handlingSeconds, "to handle them")])
    if phase.wireSeconds > 0 {
      sum.append("\(bytes(phase.wireBytes)) / \(bytes(phase.wireBytes / phase.wireSeconds))/s")
    }
    sum += carried(phase.sentBytes, phase.sendingSeconds, "sent", least)
    sum += carried(phase.receivedBytes, phase.receivingSeconds, "received", least)
    sum += parts([
      (phase.sharedMemorySeconds, "in shared memory"), (phase.neighbourSeconds, "for other ranks of its node"),
      (phase.overheadSeconds, "beside"),
    ])
    let longer = phase.kind == .combine ? "busiest host" : "routed experts"
    let hidden = parts([(phase.hiddenSeconds, "hidden behind the \(longer)")])
    return ([(sum + adding).joined(separator: " + ")] + hidden).joined(separator: " − ")
  }

  private static func carried(_ count: Double, _ seconds: Double, _ way: String, _ least: Double) -> [String] {
    guard seconds > least else { return [] }
    return ["\(bytes(count)) \(way) x \(Format.significant(seconds / count * 1e9)) ns"]
  }

  /// Of what takes less of reading and computing.
  private static func unhidden(_ phase: Phase, _ least: Double) -> [String] {
    guard phase.unhiddenSeconds > least else { return [] }
    let shorter = min(phase.readingSeconds, phase.computingSeconds)
    let name = phase.readingSeconds < phase.computingSeconds ? "reading" : "computing"
    return ["\(Format.seconds(phase.unhiddenSeconds)) of \(Format.seconds(shorter)) of \(name) that do not overlap"]
  }

  private static func elements(_ phase: Phase, _ least: Double) -> [String] {
    guard phase.elementSeconds > least else { return [] }
    return ["\(count(phase.elements)) numbers between products / \(count(phase.elements / phase.elementSeconds))/s"]
  }

  /// What takes longer of reading and computing.
  private static func work(_ phase: Phase) -> [String] {
    guard phase.readingSeconds < phase.computingSeconds else {
      guard phase.readingSeconds > 0 else { return [] }
      return ["\(bytes(phase.memoryBytes)) / \(bytes(phase.memoryBytes / phase.readingSeconds))/s"]
    }
    let block = phase.multiplyAdds - phase.floatMultiplyAdds
    let sums = [
      ("int8", block, phase.computingSeconds - phase.floatSeconds),
      ("f32", phase.floatMultiplyAdds, phase.floatSeconds),
    ]
    return sums.filter { $0.1 > 0.5 && $0.2 > 0 }.map { kind, work, seconds in
      "\(count(work)) \(kind) multiply-adds / \(count(work / seconds))/s"
    }
  }

  /// In powers of 1000, as bandwidths are.
  static func bytes(_ bytes: Double) -> String {
    var value = bytes
    var units = ["bytes", "kB", "MB", "GB", "TB"][...]
    while value >= 999.5, units.count > 1 {
      value /= 1000
      units.removeFirst()
    }
    return "\(Format.significant(value)) \(units[units.startIndex])"
  }

  static func count(_ count: Double) -> String {
    var value = count
    var units = ["", " thousand", " million", " billion", " trillion"][...]
    while value >= 999.5, units.count > 1 {
      value /= 1000
      units.removeFirst()
    }
    return Format.significant(value) + units[units.startIndex]
  }
}
