import Foundation
import Inference
import Kernels

/// A calibration for people.
public struct CalibrationReport {
  private let calibration: Calibration

  public init(_ calibration: Calibration) { self.calibration = calibration }

  /// Ends with a line feed.
  public var text: String {
    let parts = calibration.hosts.map(host) + (calibration.links.isEmpty ? [] : [links])
    return parts.map { $0.joined(separator: "\n") + "\n" }.joined(separator: "\n")
  }

  /// What makes the speeds doubtful, a line for each host.
  public var warnings: [String] {
    calibration.hosts.compactMap { host in
      let parts = host.slowdowns.map { slowdown in
        let (verb, unit) =
          switch slowdown.work {
          case .read: ("read", "GB/s")
          case .multiplyAddsF32: ("compute in f32", "GMAC/s")
          case .multiplyAddsInt8: ("compute in int8", "GMAC/s")
          }
        let (more, fewer) = (slowdown.more, slowdown.fewer)
        return "\(more.threads) threads \(verb) slower than \(fewer.threads) "
          + "(\(Self.giga(more.best)) instead of \(Self.giga(fewer.best)) \(unit))"
      }
      guard !parts.isEmpty else { return nil }
      return "host \(host.name): \(parts.joined(separator: ", ")): something else runs here; calibrate again when "
        + "nothing does"
    }
  }

  private func host(_ host: Calibration.Host) -> [String] {
    let machine = host.machine
    var facts = [machine.cpu, "\(machine.cores) core\(machine.cores == 1 ? "" : "s")", host.instructionSet]
    facts += [machine.kernel, "governor \(machine.governor ?? Format.none)"]
    facts += ["huge pages \(machine.hugePages ?? Format.none)"]
    facts += ["congestion control \(machine.congestionControl ?? Format.none)"]
    var table = TextTable([
      .init("Threads"), .init("Read GB/s"), .init("median"), .init("f32 GMAC/s"), .init("median"),
      .init("int8 GMAC/s"), .init("median"),
    ])
    for (index, read) in host.readBytesPerSecond.enumerated() {
      let speeds =
        [read]
        + [host.multiplyAddsF32PerSecond, host.multiplyAddsInt8PerSecond].compactMap { list in
          list.indices.contains(index) ? list[index] : nil
        }
      table.append(["\(read.threads)"] + speeds.flatMap { [Self.giga($0.best), Self.giga($0.median)] }.padded(to: 6))
    }
    var lines = ["\(printable(host.name)): " + facts.map { printable($0) }.joined(separator: ", ")] + table.lines()
    lines += products(host)
    if let shared = host.readByAllRanks {
      lines.append(
        "All \(shared.ranks) ranks at once, \(shared.threadsPerRank) thread\(shared.threadsPerRank == 1 ? "" : "s") each: "
          + "\(Self.giga(shared.best)) GB/s, median \(Self.giga(shared.median))")
    }
    lines.append(
      "Best and median; GB: 10^9 bytes; GMAC: 10^9 multiply-adds. Buffer: \(Format.bytes(host.bufferBytes)).")
    return lines
  }

  /// Of most threads.
  private func products(_ host: Calibration.Host) -> [String] {
    guard let products = host.products, let threads = products.map(\.threads).max() else { return [] }
    let rows = Calibration.ProductSpeed.rows.map { TextTable.Column("\($0) row\($0 == 1 ? "" : "s")") }
    var table = TextTable([.init("Weights", .left), .init("Read GB/s")] + rows)
    for product in products where product.threads == threads {
      table.append(
        [product.format.rawValue, Self.giga(product.streamedBytesPerSecond)]
          + product.multiplyAdds.map { Self.giga($0.perSecond) })
    }
    return [
      "",
      "Products with \(threads) thread\(threads == 1 ? "" : "s"): weights read from memory, and GMAC/s by rows of input:",
    ] + table.lines() + otherWork(host, threads) + [""]
  }

  private func otherWork(_ host: Calibration.Host, _ threads: Int) -> [String] {
    guard let costs = host.costs?.last(where: { $0.threads == threads }) else { return [] }
    func speeds(_ form: AttentionTrial.Form) -> String {
      let speeds = costs.attention.filter { $0.form == form }
      return speeds.map { "\(Self.giga($0.multiplyAddsPerSecond)) (\($0.content) + \($0.rotary))" }.joined(
        separator: ", ")
    }
    let steps = (costs.elementwise ?? []).map {
      "\($0.step.rawValue) \(Format.significant($0.secondsPerNumber * 1e9)) "
        + "(and \(Format.significant($0.secondsPerRow * 1e9)))"
    }
    let elementwise = "Along rows, ns for a number (and for a row): \(steps.joined(separator: ", "))."
    return [
      "",
      "Attention, GMAC/s by size of a key: generated positions \(speeds(.absorbed)); a prompt's \(speeds(.expanded)).",
      "To start a job and to wait for its end: \(Format.seconds(costs.secondsPerJob)).",
    ] + (steps.isEmpty ? [] : [elementwise])
  }

  private var links: [String] {
    let sizes = calibration.links.first?.messages.map(\.bytes) ?? []
    var table = TextTable(
      [.init("Ranks", .left)] + sizes.map { .init(Format.bytes($0)) } + [.init("GB/s")])
    for link in calibration.links {
      let times = link.messages.map { "\(Format.seconds($0.p50Seconds)) / \(Format.seconds($0.p99Seconds))" }
      let best = link.messages.map(\.bytesPerSecond).max()
      table.append(["\(link.from), \(link.to)"] + times.padded(to: sizes.count) + [best.map(Self.giga) ?? Format.none])
    }
    return ["Messages between ranks, half a round trip, p50 / p99:"] + table.lines()
  }

  private static func giga(_ perSecond: Double) -> String { Format.significant(perSecond / 1e9) }
}

extension [String] {
  fileprivate func padded(to count: Int) -> [String] {
    self.count >= count
      ? Array(prefix(count)) : self + Array(repeating: Format.none, count: count - self.count)
  }
}
