import Foundation
import Inference
import Nodes

/// What somebody who doubts a figure wants to know. What was not recorded is said to be so.
struct Evidence {
  private let group: RunGroup
  private let perplexities: [PerplexityResult]
  private var record: RunRecord { group.middle }

  /// - Parameter perplexities: of formats, against others.
  init(_ group: RunGroup, _ perplexities: [PerplexityResult]) {
    (self.group, self.perplexities) = (group, perplexities)
  }

  var blocks: [PageBlock] {
    [.code(commandLines.map { printable(ShellText.line($0)) }), .table(facts)]
  }

  /// The launcher's line has that of the program in it, unless something between them made it another.
  private var commandLines: [[String]] {
    guard let launcher = record.launcher, !launcher.isEmpty else { return [record.command] }
    let own = Array(record.command.dropFirst())
    let hasOwn = launcher.indices.contains { launcher[$0...].starts(with: own) }
    return hasOwn ? [launcher] : [launcher, record.command]
  }

  /// One process, or ranks of a launcher.
  private var start: String {
    let hosts = Set(record.ranks.map(\.host)).count
    guard record.ranks.count > 1 else { return "one process" }
    return "\(record.ranks.count) ranks on \(hosts) host\(hosts == 1 ? "" : "s")"
      + (record.launcher == nil ? "; the launcher's line is not recorded" : "")
  }

  private var facts: TextTable {
    var table = TextTable([.init("What", .left), .init("Value", .left)])
    let around = record.surroundings
    func fact(_ name: String, _ value: String?) { table.append([name, value.map { printable($0) } ?? "not recorded"]) }
    fact("end of the run", group.records.map(\.date).joined(separator: ", "))
    fact("flotilla", record.flotilla)
    fact("commit", around?.commit)
    fact("SHA-256 of the program", around?.binary)
    fact("SHA-256 of the checkpoint's headers", record.model.checkpoint + group.mark)
    fact("bits per weight", bits + group.mark)
    fact("tokens through the layers", "\(Format.exact(record.tokens.computed)) in \(Format.exact(record.steps)) steps")
    fact("started as", start)
    fact(
      "sampling, seed, lengths",
      record.sampling?.text(contextSize: record.setup.contextSize)
        ?? "not recorded, but for what the command above says")
    fact("SHA-256 of the generated tokens' logits", logits)
    fact("KL divergence of \(record.setup.format)", divergence)
    fact("repeats", "\(group.records.count)")
    fact("read from storage by all ranks", storage)
    fact("kernels", record.setup.instructionSet)
    fact("coordinator's host", around.map { "\($0.machine.cpu), \(sockets($0.sockets))\($0.machine.cores) processors" })
    fact("operating system", around?.machine.kernel)
    fact("frequency governor", around?.machine.governor)
    fact("huge pages", around?.machine.hugePages)
    fact("MPI", record.ranks.count > 1 ? around?.mpi : "none: one process")
    if record.ranks.count > 1 {
      let parameters = (around?.mpiParameters ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
      fact("MPI parameters", around == nil ? nil : parameters.isEmpty ? "none" : parameters.joined(separator: " "))
      fact("congestion control of TCP", around?.machine.congestionControl)
      if Set(record.ranks.map(\.host)).count > 1 {
        let interfaces = around?.interfaces?.map { "\($0.name) \(Format.bytes($0.bytes))" }
        fact("through the coordinator's network interfaces", interfaces.map { $0.joined(separator: ", ") })
      }
    }
    fact(
      "weights that ran otherwise than stored", record.setup.conversions.map { $0.joined(separator: "; ") } ?? "none")
    return table
  }

  /// The same in all repeats, if they ran the same tokens.
  private var logits: String? {
    let found = group.records.map(\.tokens.logits)
    guard let first = found[0], found.count > 1 else { return found[0] }
    let same = found.count { $0 == first }
    return same == found.count ? "\(first), in all \(same) runs" : "\(first), in \(same) of \(found.count) runs"
  }

  /// Against another format of the same model.
  private var divergence: String? {
    guard let result = perplexities.first(where: { $0.format == record.setup.format }),
      let comparison = result.comparison
    else { return nil }
    let (mean, same) = (comparison.divergence.mean, comparison.sameTop)
    return "\(Format.significant(mean.value)) nats from \(comparison.baseFormat) in the mean of "
      + "\(Format.exact(result.tokens)) tokens; the same most probable token at \(Format.share(same.value))"
  }

  /// Cold or warm.
  private var storage: String? {
    let found = record.ranks.compactMap(\.storageBytesRead)
    guard found.count == record.ranks.count else { return nil }
    let bytes = found.reduce(0, +)
    return bytes == 0 ? "nothing: all was in the page cache" : "\(Format.bytes(bytes)), the rest was in the page cache"
  }

  private func sockets(_ count: Int?) -> String {
    count.map { "\($0) socket\($0 == 1 ? "" : "s"), " } ?? ""
  }

  /// In the mean of all weights, else of those that were read, where steps of one token tell; the format's name alone
  /// says little, since some weights have more.
  private var bits: String {
    let format = record.setup.format
    if let bytes = record.model.weightBytes, record.model.parameters > 0 {
      let (weights, size) = (Format.count(record.model.parameters), Format.bytes(bytes))
      let mean = Format.significant(8 * Double(bytes) / Double(record.model.parameters))
      return "\(mean) in the mean of all (\(size) for \(weights)); format \(format)"
    }
    let applied = record.ranks.reduce(0) { $0 + $1.parametersApplied }
    guard let bytes = record.weightBytesPerToken, applied > 0, record.steps == record.tokens.computed else {
      return "not recorded; format \(format)"
    }
    let mean = Format.significant(8 * bytes * Double(record.tokens.computed) / Double(applied))
    return "\(mean) in the mean of those that were read; format \(format)"
  }
}
