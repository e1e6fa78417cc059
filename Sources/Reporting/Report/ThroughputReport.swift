import Kernels

/// A run record as people read it: on a terminal of 80 columns, or as Markdown.
public struct ThroughputReport: Sendable {
  let record: RunRecord
  /// On a terminal, tables of more ranks than this are abridged.
  static let mostRanksShown = 16

  public init(_ record: RunRecord) { self.record = record }

  /// Lines for a terminal.
  public var text: String {
    var lines = [title]
    let facts = self.facts
    let width = facts.map { TextTable.width($0.name) }.max() ?? 0
    for fact in facts {
      let space = String(repeating: " ", count: width - TextTable.width(fact.name) + 2)
      for (index, line) in wrapped(printable(fact.value), width: 80 - width - 4).enumerated() {
        lines.append("  " + (index == 0 ? fact.name + space : String(repeating: " ", count: width + 2)) + line)
      }
    }
    lines += ["", "Where the time went\(mark)"] + phaseTable.lines().map { "  " + $0 }
    let shown = shownRanks
    lines += ["", "Ranks\(mark) (roles: \(roleKey))"]
    lines += rankTable(shown).lines(gap: 1).map { "  " + $0 }
    if shown.count < record.ranks.count {
      lines.append("  … and \(record.ranks.count - shown.count) more ranks, between the busiest and the idlest shown")
    }
    lines += notes.flatMap { wrapped($0, width: 78) }.map { "  " + $0 }
    return lines.joined(separator: "\n") + "\n"
  }

  /// The same with all ranks, for a README or an issue.
  public var markdown: String {
    var lines = ["### \(title)", ""]
    lines += facts.map { "- **\($0.name)**: \(Markdown.escaped(printable($0.value)))" }
    lines += ["", "#### Where the time went\(mark)", ""] + phaseTable.markdown
    lines += ["", "#### Ranks\(mark)", "", "Roles: \(roleKey).", ""]
    lines += rankTable(record.ranks).markdown
    lines += [""] + notes.map { "- " + Markdown.escaped($0) }
    return lines.joined(separator: "\n") + "\n"
  }

  /// Breaks at spaces; what has none stays whole.
  private func wrapped(_ text: String, width: Int) -> [String] {
    var lines: [String] = []
    for word in text.split(separator: " ") {
      if let last = lines.last, TextTable.width(last) + 1 + TextTable.width(String(word)) <= width {
        lines[lines.count - 1] = last + " " + word
      } else {
        lines.append(String(word))
      }
    }
    return lines
  }
}

// MARK: - The parts

extension ThroughputReport {
  private struct Fact {
    let name: String
    let value: String
  }

  /// Behind every time that was not a real model's.
  private var mark: String { record.phantom == true ? " PHANTOM" : "" }

  private var title: String {
    record.phantom == true
      ? "Throughput: PHANTOM (true shapes, gates and messages; weights shared; times of these machines)" : "Throughput"
  }

  private var facts: [Fact] {
    let conversions = (record.setup.conversions ?? []).joined(separator: "; ")
    return [Fact(name: "model", value: model)]
      + (conversions.isEmpty ? [] : [Fact(name: "weights", value: conversions)]) + [
        Fact(name: "tokens", value: tokens),
        Fact(name: "loading", value: Format.seconds(record.loadSeconds) + mark),
        Fact(name: "prefill", value: speed(record.rates.prefill, tokensRead, record.seconds.prefill)),
        Fact(name: "decode", value: speed(record.rates.decode, record.tokens.inDecodeSteps, record.seconds.decode)),
        Fact(name: "first token", value: firstToken), Fact(name: "parameters", value: parameters),
      ]
  }

  private var model: String {
    let hosts = Set(record.ranks.map(\.host)).count
    return
      "\(printable(record.model.name, limit: 200)) in \(record.setup.format) (cache \(record.setup.cacheFormat)) on "
      + "\(many(record.ranks.count, "rank")), \(many(hosts, "host")), "
      + "\(many(record.setup.threads.reduce(0, +), "thread"))\(record.ranks.count > 1 ? " in all" : ""), "
      + record.setup.instructionSet
  }

  private var tokensRead: Int { record.tokens.prompt + (record.tokens.replayed ?? 0) }

  private var tokens: String {
    "\(Format.exact(record.tokens.prompt)) in\(replayed), \(Format.exact(record.tokens.generated)) out; "
      + "\(Format.exact(record.tokens.computed)) through the layers in \(many(record.steps, "step"))"
  }

  private var replayed: String {
    record.tokens.replayed.map { ", \(Format.exact($0)) of the journal" } ?? ""
  }

  private func speed(_ rate: Double?, _ tokens: Int, _ seconds: Double) -> String {
    "\(Format.rate(rate)) (\(many(tokens, "token")) in \(Format.seconds(seconds)))\(mark)"
  }

  private var firstToken: String {
    let times = record.seconds.firstToken
    guard let first = times.min(), let last = times.max() else { return Format.none }
    guard times.count > 1 else { return Format.seconds(first) + mark }
    return "\(Format.seconds(first)) to \(Format.seconds(last)) over \(times.count) sequences\(mark)"
  }

  /// The proof that only active experts compute.
  private var parameters: String {
    let total = record.model.parameters
    guard let active = record.parametersPerToken else { return "\(Format.count(total)) in total; no token computed" }
    let share = total > 0 ? active / Double(total) : nil
    return "\(Format.count(active.rounded())) computed per token of \(Format.count(total)) in total "
      + "(\(Format.share(share))), counted from what ran"
  }

  private var phaseTable: TextTable {
    var table = TextTable([.init("Phase", .left), .init("Coordinator"), .init("Share"), .init("All ranks")])
    let steps = record.seconds.prefill + record.seconds.decode
    let counted = Phase.allCases.reduce(0) { $0 + (record.phases[$1.key] ?? 0) }
    let whole = max(steps, counted)
    func append(_ name: String, _ seconds: Double, all: Double?) {
      table.append([
        name, Format.seconds(seconds), Format.share(whole > 0 ? seconds / whole : nil), Format.seconds(all),
      ])
    }
    for phase in Phase.allCases {
      let seconds = record.phases[phase.key] ?? 0
      append(phase.title, seconds, all: everywhere(phase, coordinator: seconds))
    }
    append("other", max(0, whole - counted), all: nil)
    append("in steps", whole, all: nil)
    return table
  }

  /// Seconds of a phase on all ranks, where others than the coordinator may have a part in it.
  private func everywhere(_ phase: Phase, coordinator: Double) -> Double? {
    let seconds: KeyPath<RunRecord.Rank, Double>
    switch phase {
    case .gate: seconds = \.gateSeconds
    case .dispatch: seconds = \.dispatchSeconds
    case .expertCompute: seconds = \.expertSeconds
    case .combine: seconds = \.combineSeconds
    default: return nil
    }
    return max(coordinator, record.ranks.reduce(0) { $0 + $1[keyPath: seconds] })
  }

  private var notes: [String] {
    var notes = [shared, placed, expertRows, pairs].compactMap { $0 }
    let hosts = Dictionary(grouping: record.ranks, by: \.host)
    if hosts.count > 1 {
      let names = hosts.sorted { ($0.value.first?.rank ?? 0) < ($1.value.first?.rank ?? 0) }
        .map { "\(printable($0.key, limit: 64)) (\(many($0.value.count, "rank")))" }
      notes.append("hosts: " + names.prefix(8).joined(separator: ", ") + (names.count > 8 ? ", …" : ""))
    }
    return notes
  }

  /// What load and memory of a phantom are worth.
  private var shared: String? {
    guard record.phantom == true else { return nil }
    return "Busy and Resident: PHANTOM, of weights that layers and experts share; the model's take more"
  }

  /// Experts that hosts have loaded, and how many of them a token met; of a phantom, whose layers share their weights.
  private var placed: String? {
    guard record.phantom == true, record.tokens.computed > 0 else { return nil }
    let held = record.ranks.reduce(0) { $0 + ($1.expertPairsHeld ?? 0) }
    let rows = record.ranks.reduce(0) { $0 + $1.expertRows }
    let layers = max(1, record.model.expertLayers)
    func each(_ count: Double) -> String { Format.significant(count / Double(layers)) }
    let perToken = Double(rows) / Double(record.tokens.computed)
    return "experts placed: \(Format.exact(held)) (\(each(Double(held))) x \(layers) layers); run per token: "
      + "\(Format.significant(perToken)) (\(each(perToken)) x \(layers)); both counted"
  }

  /// Whether exactly the chosen experts ran.
  private var expertRows: String {
    let model = record.model
    let counted = record.ranks.reduce(0) { $0 + $1.expertRows }
    let chosen = record.tokens.computed.multipliedReportingOverflow(by: model.expertLayers * model.expertsPerToken)
    let sum =
      "\(Format.exact(record.tokens.computed)) tokens x \(many(model.expertLayers, "expert layer")) x "
      + "\(many(model.expertsPerToken, "expert"))"
    let verdict =
      chosen.overflow || chosen.partialValue != counted
      ? "\(Format.exact(counted)), where \(sum) would be \(Format.exact(chosen.partialValue))"
      : "\(Format.exact(counted)) = \(sum): the chosen experts and no others"
    return "expert rows: \(verdict); load max/mean \(Format.ratio(record.expertLoadImbalance))"
  }

  private var pairs: String {
    let all = record.model.expertLayers * record.model.expertsPerLayer
    let ran = record.ranks.reduce(0) { $0 + $1.expertPairsActivated }
    let share = all > 0 ? Double(ran) / Double(all) : nil
    return "(layer, expert) pairs ever activated: \(Format.exact(ran)) of \(Format.exact(all)) (\(Format.share(share)))"
  }

  private func many(_ count: Int, _ noun: String) -> String {
    "\(Format.exact(count)) \(noun)\(count == 1 ? "" : "s")"
  }
}

// MARK: - Ranks

extension ThroughputReport {
  /// All ranks, or those with roles beside hosting, the busiest and the idlest, in order.
  private var shownRanks: [RunRecord.Rank] {
    let ranks = record.ranks
    guard ranks.count > Self.mostRanksShown else { return ranks }
    let special = ranks.indices.filter { !ranks[$0].roles.allSatisfy(["experts", "slices"].contains) }
    let hosts = ranks.indices.filter { !special.contains($0) }
      .sorted { (ranks[$0].expertRows, $1) > (ranks[$1].expertRows, $0) }
    let room = (Self.mostRanksShown - special.count) / 2
    return Set(special + hosts.prefix(room) + hosts.suffix(room)).sorted().map { ranks[$0] }
  }

  private func rankTable(_ shown: [RunRecord.Rank]) -> TextTable {
    var table = TextTable([
      .init("Rank"), .init("Roles", .left), .init("Held"), .init("Active"), .init("Rows"), .init("Busy"),
      .init("Sent"), .init("Msgs"), .init("Received"), .init("Msgs"), .init("Resident"),
    ])
    for rank in shown {
      table.append([
        "\(rank.rank)", roles(rank), Format.tally(rank.expertsHeld), Format.tally(rank.expertsActivated),
        Format.tally(rank.expertRows), Format.share(rank.busyShare),
        Format.bytes(rank.bytesSent), Format.tally(rank.messagesSent),
        Format.bytes(rank.bytesReceived), Format.tally(rank.messagesReceived), Format.bytes(rank.residentBytes),
      ])
    }
    guard record.ranks.count > 1 else { return table }
    func sum(_ value: KeyPath<RunRecord.Rank, Int>) -> Int { record.ranks.reduce(0) { $0 + $1[keyPath: value] } }
    let busy = record.ranks.compactMap(\.busyShare)
    let mean = busy.isEmpty ? nil : busy.reduce(0, +) / Double(busy.count)
    table.append([
      "all", "", Format.tally(sum(\.expertsHeld)), Format.tally(sum(\.expertsActivated)),
      Format.tally(sum(\.expertRows)),
      Format.share(mean), Format.bytes(sum(\.bytesSent)), Format.tally(sum(\.messagesSent)),
      Format.bytes(sum(\.bytesReceived)), Format.tally(sum(\.messagesReceived)), Format.bytes(sum(\.residentBytes)),
    ])
    return table
  }

  private func roles(_ rank: RunRecord.Rank) -> String {
    roleLetters.map { rank.roles.contains($0.role) ? $0.letter : "·" }.joined()
  }

  private var roleKey: String { roleLetters.map { "\($0.letter) \($0.role)" }.joined(separator: ", ") }

  /// Slices of the dense part only where a rank has some.
  private var roleLetters: [(letter: String, role: String)] {
    let always = [("C", "coordinator"), ("R", "router"), ("E", "experts")]
    return always + (record.ranks.contains { $0.roles.contains("slices") } ? [("S", "slices")] : [])
  }
}

extension Phase {
  /// The phase's name for people.
  public var title: String {
    switch self {
    case .embedding: "embedding"
    case .attention: "attention"
    case .denseFeedForward: "dense feed-forward"
    case .gate: "gate"
    case .dispatch: "dispatch"
    case .expertCompute: "expert compute"
    case .sharedExpert: "shared expert"
    case .combine: "combine"
    case .wait: "wait"
    case .head: "head"
    case .sampling: "sampling"
    }
  }
}
