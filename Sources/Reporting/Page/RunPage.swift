import Foundation
import Inference
import Kernels
import Planning

/// A page about runs: what came out, where the time went, what crossed between ranks, and what somebody who doubts it
/// wants to know. For a terminal, as Markdown, or as HTML.
public struct RunPage {
  private let groups: [RunGroup]
  private let limits: Calibration?
  private let routing: [PageBlock]
  private let perplexities: [PerplexityResult]
  /// By setup; empty where nobody asked.
  private let predictions: [PredictedRun]
  private let notes: [String]

  /// - Parameters:
  ///   - records: where there are none, the page has nothing but the notes.
  ///   - notes: what a reader should know first, a sentence each.
  ///   - limits: what the machines can do, for comparison; nil: not known.
  ///   - routing: which experts ran; nil: not known.
  ///   - perplexities: what formats of the weights do to a model.
  ///   - predict: what would have been expected of a run.
  ///   - shownAs: what is shown of a record in its place.
  public init(
    _ records: [RunRecord], notes: [String] = [], limits: Calibration? = nil, routing: RoutingPage? = nil,
    perplexities: [PerplexityResult] = [], predict: ((RunRecord) throws -> PredictedRun)? = nil,
    shownAs: (RunRecord) -> RunRecord = { $0 }
  ) rethrows {
    let groups = RunGroup.groups(records)
    self.groups = groups.map { $0.mapped(shownAs) }
    self.perplexities = perplexities
    predictions = try predict.map { try groups.map(\.middle).map($0) } ?? []
    self.notes = notes
    self.limits = limits
    self.routing = routing?.blocks ?? []
  }

  public var text: String { PageBlock.text(blocks) }
  public var markdown: String { PageBlock.markdown(blocks, level: 1) }
  public var html: String { PageBlock.htmlPage(blocks, title: title) }

  private var title: String {
    guard !groups.isEmpty else { return "Flotilla: no run has ended yet" }
    let names = Set(groups.map { printable($0.middle.model.name, limit: 100) }).sorted()
    return "Flotilla: \(names.prefix(3).joined(separator: ", "))\(names.count > 3 ? ", …" : "")"
  }

  private var blocks: [PageBlock] {
    let notes = notes.map { PageBlock.text(printable($0)) }
    guard !groups.isEmpty else { return [.title(title)] + notes + routing }
    return [.title(title), .headlines(headlines)] + notes + phantomNote + [.heading("Results"), .table(results)]
      + comparison
      + groups.enumerated().flatMap { details($1, name: groups.count > 1 ? " of setup \($0 + 1)" : "") } + routing
  }

  private var phantomNote: [PageBlock] {
    let phantoms = groups.indices.filter { groups[$0].middle.phantom == true }
    guard !phantoms.isEmpty else { return [] }
    let some = phantoms.map { "\($0 + 1)" }.joined(separator: ", ")
    let which = phantoms.count == groups.count ? "" : " (setup \(some) alone; the others are real runs)"
    return [
      .text(
        "PHANTOM\(which): true shapes, gates, routing and messages; weights shared among layers and experts, and times of these "
          + "machines, on which the real model would not fit. Words mean nothing.")
    ]
  }

  /// Of the first setup.
  private var headlines: [(value: String, name: String)] {
    let group = groups[0]
    let (record, count) = (group.middle, groups.count)
    let active = record.parametersPerToken.map {
      "\(Format.count($0.rounded())) of \(Format.count(record.model.parameters))"
    }
    let setup = count > 1 ? ", setup 1 of \(count)" : ""
    return [
      (Format.rate(group.median(\.rates.decode)) + group.mark, "decode\(setup)"),
      (Format.rate(group.median(\.rates.prefill)) + group.mark, "prompt\(setup)"),
      (active ?? Format.none, "parameters computed per token"),
      ("\(record.ranks.count) on \(Set(record.ranks.map(\.host)).count)", "ranks, hosts"),
    ]
  }

  // MARK: Results

  /// A column for each setup, a row for each number.
  private var results: TextTable {
    let names = groups.count > 1 ? groups.indices.map { "Setup \($0 + 1)" } : ["Value"]
    var table = TextTable([.init("", .left)] + names.map { .init($0, .left) })
    func row(_ name: String, _ text: (RunGroup) -> String) { table.append([name] + groups.map(text)) }
    row("model") { printable($0.middle.model.name, limit: 100) }
    row("weights; cache") { "\($0.middle.setup.format); \($0.middle.setup.cacheFormat)" }
    row("ranks; hosts; threads") {
      "\($0.middle.ranks.count); \(Set($0.middle.ranks.map(\.host)).count); \($0.middle.setup.threads.reduce(0, +))"
    }
    row("tokens read; generated") {
      "\(Format.exact($0.middle.tokens.prompt)); \(Format.exact($0.middle.tokens.generated))"
    }
    row("runs") { "\($0.records.count)\($0.records.count > 1 ? ": median (least to most)" : "")" }
    row("decode") { group in group.spread(\.rates.decode) { Format.rate($0) } }
    row("prompt") { group in group.spread(\.rates.prefill) { Format.rate($0) } }
    row("first token") { group in group.spread({ $0.seconds.firstToken.max() }) { Format.seconds($0) } }
    row("loading") { group in group.spread(\.loadSeconds) { Format.seconds($0) } }
    row("parameters computed per token") { group in
      guard let active = group.middle.parametersPerToken else { return Format.none }
      let total = group.middle.model.parameters
      return "\(Format.count(active.rounded())) of \(Format.count(total)) "
        + "(\(Format.share(total > 0 ? active / Double(total) : nil))), counted"
    }
    func bytes(_ count: Double?) -> String { count.map { "\(Format.bytes($0)), counted" } ?? "not recorded" }
    if groups.contains(where: { $0.middle.weightBytesPerDecodedToken != nil }) {
      row("weights read per token of decode") { bytes($0.middle.weightBytesPerDecodedToken) }
    }
    row("weights read per token, mean of prompt and decode") { bytes($0.middle.weightBytesPerToken) }
    row("expert load, most over mean") { Format.ratio($0.middle.expertLoadImbalance) }
    return table
  }

  /// Measured and predicted, side by side.
  private var comparison: [PageBlock] {
    guard !predictions.isEmpty else { return [] }
    var table = TextTable([
      .init("", .left), .init("Measured"), .init("PREDICTED"), .init("Ratio"),
      .init("PREDICTED to wait most for", .left),
    ])
    for (index, (group, predicted)) in zip(groups, predictions).enumerated() {
      let prediction = predicted.prediction
      let name = groups.count > 1 ? " of setup \(index + 1)" : ""
      func row(_ what: String, _ measured: Double?, _ predicted: Double?, _ limit: Limit?) {
        guard let measured, let predicted else { return }
        table.append([
          what + name, Format.rate(measured) + group.mark, Format.rate(predicted), Format.ratio(predicted / measured),
          limit?.rawValue ?? Format.none,
        ])
      }
      row("decode", group.median(\.rates.decode), prediction.decode.tokensPerSecond, prediction.decode.limit)
      row("prompt", group.median(\.rates.prefill), prediction.prefill?.tokensPerSecond, prediction.prefill?.limit)
    }
    return [
      .heading("Prediction beside measurement"),
      .text(
        "PREDICTED from the description of the cluster and the model's shape, for the same formats, lengths, ranks and "
          + "threads; experts are taken to lie in the order of ranks."), .table(table),
    ]
      + predictions.enumerated().filter { !$1.differences.isEmpty }.map { index, predicted in
        let name = groups.count > 1 ? " of setup \(index + 1)" : ""
        return .text(
          printable(
            "Not the same machines: the run\(name) and the described cluster differ, and the ratio with them: "
              + predicted.differences.joined(separator: "; ") + "."))
      }
  }

  // MARK: Details

  private func details(_ group: RunGroup, name: String) -> [PageBlock] {
    let record = group.middle
    var blocks: [PageBlock] = [
      .heading("Where the time went\(name)"), .figure(RankTimes(record, mark: group.mark).figure),
      .figure(PhaseShares(record, mark: group.mark).figure),
    ]
    if let timeline = StepTimeline(record, mark: group.mark) { blocks.append(.figure(timeline.figure)) }
    if let traffic = TrafficMatrix(record) {
      blocks += [.heading("What crossed between ranks\(name)"), .text(traffic.text), .figure(traffic.figure)]
    }
    blocks += [.heading("Ranks\(name)"), .table(Self.rankTable(record, group.mark))]
    if let limits {
      blocks += [.heading("How close to the limit\(name)")] + Roofline(record, limits, group.mark).blocks
    }
    return blocks + [.heading("For those who doubt it\(name)")] + Evidence(group, perplexities).blocks
  }

  private static func rankTable(_ record: RunRecord, _ mark: String) -> TextTable {
    var table = TextTable([
      .init("Rank"), .init("Host", .left), .init("Roles", .left), .init("Experts held"), .init("that ran"),
      .init("Rows"), .init("Busy\(mark)"), .init("Memory\(mark)"),
    ])
    for rank in record.ranks {
      table.append([
        "\(rank.rank)", printable(rank.host, limit: 64), rank.roles.joined(separator: ", "),
        Format.tally(rank.expertsHeld), Format.tally(rank.expertsActivated), Format.tally(rank.expertRows),
        Format.share(rank.busyShare), Format.bytes(rank.residentBytes),
      ])
    }
    return table
  }
}

/// What the planner says of a run, and in what the machines differ that it says it of.
public struct PredictedRun {
  let prediction: Prediction
  let differences: [String]

  public init(_ prediction: Prediction, differences: [String]) {
    (self.prediction, self.differences) = (prediction, differences)
  }
}

extension RunRecord {
  /// The same in steps that only generated; nil where not all ranks counted those by themselves.
  var weightBytesPerDecodedToken: Double? {
    let counts = ranks.compactMap(\.weightBytesReadInDecode)
    guard counts.count == ranks.count, tokens.inDecodeSteps > 0 else { return nil }
    return Double(counts.reduce(0, +)) / Double(tokens.inDecodeSteps)
  }

  /// Bytes of weights that all ranks read for a token, in the mean; nil where nobody counted.
  var weightBytesPerToken: Double? {
    let counts = ranks.compactMap(\.weightBytesRead)
    guard !counts.isEmpty, tokens.computed > 0 else { return nil }
    return Double(counts.reduce(0, +)) / Double(tokens.computed)
  }
}
