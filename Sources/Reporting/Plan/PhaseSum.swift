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

  static func text(_ phase: Phase) -> String {
    if phase.kind == .shared { return "what the routed experts do not hide" }
    var parts: [String] = []
    if phase.readingSeconds > 0 || phase.computingSeconds > 0 {
      if phase.readingSeconds >= phase.computingSeconds {
        parts.append("\(bytes(phase.memoryBytes)) / \(bytes(phase.memoryBytes / phase.readingSeconds))/s")
      } else {
        let block = phase.multiplyAdds - phase.floatMultiplyAdds
        let sums = [
          ("int8", block, phase.computingSeconds - phase.floatSeconds),
          ("f32", phase.floatMultiplyAdds, phase.floatSeconds),
        ]
        for (kind, work, seconds) in sums where work > 0.5 && seconds > 0 {
          parts.append("\(count(work)) \(kind) multiply-adds / \(count(work / seconds))/s")
        }
      }
    }
    if phase.lostSeconds > 0.000_05 { parts.append("\(Format.seconds(phase.lostSeconds)) that do not overlap") }
    if phase.messages > 0 {
      parts.append(
        "\(Format.significant(phase.messages)) messages x \(Format.seconds(phase.latencySeconds / phase.messages))")
    }
    if phase.wireBytes > 0, phase.wireSeconds > 0 {
      parts.append("\(bytes(phase.wireBytes)) / \(bytes(phase.wireBytes / phase.wireSeconds))/s")
    } else if phase.wireSeconds > 0 {
      parts.append("\(Format.seconds(phase.wireSeconds)) in shared memory")
    }
    if phase.overheadSeconds > 0.000_05 { parts.append("\(Format.seconds(phase.overheadSeconds)) beside") }
    return parts.joined(separator: " + ")
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
