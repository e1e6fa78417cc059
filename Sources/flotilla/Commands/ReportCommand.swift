import ArgumentParser
import ExpertParallel
import Foundation
import Inference
import Kernels
import MessagePassing
import Planning
import Reporting

struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "A page about runs: results, where the time went, what crossed, which experts ran.",
    discussion: """
      Reads what --record and --record-routing wrote, and shows it: on the terminal, or with -o as a page for a \
      browser (.html) or as Markdown (.md). The page is one file, fetches nothing, and says beside each figure what a \
      reader who doubts it wants to know. Runs of the same setup count as repeats: their median is shown, with the \
      least and the most.

      A routing record tells how even the use of experts is. With --placement, or --ranks, it also tells what a \
      placement makes of it, and --write-placement writes one on which they lie more evenly, with as many \
      experts on each rank.

      EXAMPLES
        flotilla generate -p "What is 478 + 256?" --record run.jsonl
        flotilla report run.jsonl
        flotilla report monday.jsonl tuesday.jsonl -o report.html
        flotilla generate -p "1 + 1?" --record-routing run.routing
        flotilla report --routing run.routing --ranks 4 -o routing.html

      Lines that cannot be read are left out and told of. While a run goes on, generate and simulate tell every two \
      seconds how far it is, and --follow shows it.

      EXIT CODES
        1 where the disk is full; 2 where a file cannot be read or is something else.
      """)

  @Argument(help: ArgumentHelp("Records of runs, JSON lines.", valueName: "records"))
  var records: [String] = []

  @Option(help: ArgumentHelp("Record of which experts ran.", valueName: "file"))
  var routing: String?

  @Option(help: ArgumentHelp("With --routing: a placement to look at.", valueName: "file"))
  var placement: String?

  @Option(help: ArgumentHelp("With --routing: look at equal shards on so many ranks, 1 to 65536.", valueName: "ranks"))
  var ranks: Int?

  @Option(help: ArgumentHelp("Write a placement on which the routing is more even to a new file.", valueName: "file"))
  var writePlacement: String?

  @Option(
    help: ArgumentHelp(
      "What the machines can do, as flotilla calibrate -o writes it, for comparison.", valueName: "file"))
  var calibration: String?

  @Option(
    help: ArgumentHelp(
      "Predict the same runs on this description, as flotilla calibrate --hostfile writes it, for comparison.",
      valueName: "file"))
  var cluster: String?

  @Option(
    help: ArgumentHelp(
      "With --cluster: the model, a folder, a config.json or a shape with a name. Default: the name in the record.",
      valueName: "model"))
  var model: String?

  @Option(
    help: ArgumentHelp(
      "KL divergence of the weights' format, as flotilla perplexity --kl-base … --json writes it. May be repeated.",
      valueName: "file"))
  var perplexity: [String] = []

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Write the page to a file, .html or .md, in place of what is there.", valueName: "file"))
  var output: String?

  @Flag(help: "Show how far runs are, and all anew whenever one has been added to the records, until Ctrl-C.")
  var follow = false

  @Flag(help: "Other words for hosts, users and addresses; files without their folders; of prompts the length.")
  var redact = false

  func validate() throws {
    if records.isEmpty, routing == nil {
      throw ValidationError("nothing to show: give files of --record, or --routing FILE.")
    }
    if let output, !output.hasSuffix(".html"), !output.hasSuffix(".md") {
      throw ValidationError("--output: expected a name that ends in .html or .md, found \"\(output)\".")
    }
    if placement != nil, ranks != nil { throw ValidationError("--placement and --ranks exclude each other.") }
    let options = [
      ("--placement", placement != nil), ("--ranks", ranks != nil), ("--write-placement", writePlacement != nil),
    ]
    if routing == nil, let option = options.first(where: \.1)?.0 { throw ValidationError("\(option) needs --routing.") }
    if writePlacement != nil, placement == nil, ranks == nil {
      throw ValidationError("--write-placement needs --placement or --ranks, to begin with.")
    }
    if follow, records.isEmpty { throw ValidationError("--follow needs files of --record.") }
    if calibration != nil, records.isEmpty { throw ValidationError("--calibration needs files of --record.") }
    if cluster != nil, records.isEmpty { throw ValidationError("--cluster needs files of --record.") }
    if model != nil, cluster == nil { throw ValidationError("--model needs --cluster.") }
    if !perplexity.isEmpty, records.isEmpty { throw ValidationError("--perplexity needs files of --record.") }
    try check("--ranks", ranks, 1...Placement.mostRanks)
  }

  func run() throws {
    guard ProcessRank.current.isFirst else { return }
    if let writePlacement { try PlacementOutput.checkIsNew(writePlacement) }
    let record = try routing.map { try RoutingRecord(path: $0) }
    let routing = try record.map { try routingPage($0, path: self.routing ?? "") }
    let extras = try Extras(self, routing: record)
    let output = ReportOutput(path: output)
    guard follow else {
      let lines = try RecordLines(records)
      for problem in lines.leftOut { note(problem.omission) }
      if !records.isEmpty, let shortage = lines.shortage(in: records) { throw shortage }
      try show(lines, routing, extras, output)
      return output.announce()
    }
    TerminationSignal.install()
    var following = RecordFollowing(records)
    while !Fleet.isInterrupted {
      if let (lines, isProgressOnly) = try following.next() {
        // A terminal keeps what it has shown.
        if !isProgressOnly || output.path != nil { try show(lines, routing, extras, output) }
        if isProgressOnly { try output.tell(lines.unfinished.map { $0.text() }) } else { output.announce() }
      }
      usleep(200_000)
    }
  }

  private func show(
    _ lines: RecordLines, _ routing: RoutingPage?, _ extras: Extras, _ output: ReportOutput
  ) throws {
    let notes =
      lines.unfinished.map { $0.text() + "." } + lines.leftOut.map { $0.omission + "." } + copyNotes(lines.copies)
      + [try extras.routing?.note(beside: lines.records, "--routing \(self.routing ?? "")")].compactMap(\.self)
    if lines.records.isEmpty, notes.isEmpty, let routing {
      return try output.put(routing.text, routing.markdown, routing.html)
    }
    var redactor = RecordRedactor(lines.records)
    let page = try RunPage(
      lines.records, notes: notes, limits: extras.limits, routing: routing, perplexities: extras.perplexities,
      predict: extras.prediction.map { prediction in { try prediction.prediction(of: $0) } },
      shownAs: { redact ? redactor.redacted($0) : $0 })
    try output.put(page.text, page.markdown, page.html)
  }

  private func copyNotes(_ count: Int) -> [String] {
    guard count > 0 else { return [] }
    return [
      count == 1
        ? "1 record was there twice and counts once." : "\(count) records were copies of others and do not count."
    ]
  }

  private func routingPage(_ record: RoutingRecord, path: String) throws -> RoutingPage {
    if writePlacement != nil, record.tokens == 0 {
      throw UsageError("--routing \(path): expected tokens, to make a placement for them, found none")
    }
    var given: Placement?
    if let placement {
      given = try Placement.load(URL(filePath: placement), experts: record.header.experts)
    } else if let ranks {
      given = try Placement.contiguous(experts: record.header.experts, ranks: ranks)
    }
    let improvement = try given.map { try PlacementImprovement(of: $0, RoutingSample(record)) }
    if let improvement, let writePlacement {
      try PlacementOutput.write(improvement.placement, to: writePlacement)
    }
    let name = redact ? URL(filePath: path).lastPathComponent : path
    return RoutingPage(record, name: name, placement: given, improvement: improvement)
  }
}

/// What is shown beside runs, read once.
private struct Extras {
  let routing: RoutingRecord?
  let limits: Calibration?
  let perplexities: [PerplexityResult]
  let prediction: RecordPrediction?

  /// - Parameter routing: which experts ran; nil: not known.
  init(_ options: ReportCommand, routing: RoutingRecord?) throws {
    self.routing = routing
    limits = try options.calibration.map { try Calibration.load(URL(filePath: $0)) }
    perplexities = try options.perplexity.map { try PerplexityResult(file: $0) }
    prediction = try options.cluster.map {
      try RecordPrediction(
        cluster: $0, model: options.model, routing: routing)
    }
  }
}
