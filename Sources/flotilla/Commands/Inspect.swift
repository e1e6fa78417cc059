import ArgumentParser
import Checkpoint
import DeepSeek
import ExpertParallel
import Foundation
import Inference

struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what a checkpoint is, and what each rank of a run would hold.",
    discussion: """
      Reads config.json and the headers of the safetensors files, no weights. --like needs no checkpoint at all: it \
      tells what each rank would hold before anything is downloaded. Shapes with a name: tiny, mini, bench-3b, \
      v2-lite, r1.

      EXAMPLES
        flotilla inspect DeepSeek-R1
        flotilla inspect --like r1 --placement-for 8 --quant q4_K
        flotilla inspect DeepSeek-R1 --placement-for 8 --write-placement r1.json
      """)

  @OptionGroup var argument: ModelArgument

  @Option(
    help: ArgumentHelp(
      "In place of MODEL: a config.json, a folder that holds one, or the name of a shape.", valueName: "config"))
  var like: String?

  @Option(help: ArgumentHelp("Show what each of this many ranks would hold, 1 to 65536.", valueName: "ranks"))
  var placementFor: Int?

  @OptionGroup(title: "PLACEMENT") var roles: RoleOptions

  @Option(help: ArgumentHelp("Write the placement to a file, for --placement.", valueName: "file"))
  var writePlacement: String?

  @Option(help: Quantization.help)
  var quant = Quantization.auto

  @Flag(
    help: """
      Of a prepared model: compare the hashes of all bundles that are here; with --placement-for all that the ranks \
      need must be here.
      """)
  var verify = false

  @Option(
    help: ArgumentHelp(
      "With --verify: these bundles and nothing else, as dense,gates,mtp,0-31,40; numbers are experts.",
      valueName: "bundles"))
  var bundles: String?

  @Option(
    help: ArgumentHelp(
      "With --bundles: this manifest, where that of the folder has not got its name yet.", valueName: "file"))
  var manifest: String?

  @Flag(help: "One JSON object instead of text; with --bundles JSON lines.")
  var json = false

  func validate() throws {
    if like != nil, argument.path != nil { throw ValidationError("--like and MODEL exclude each other.") }
    try check("--placement-for", placementFor, 1...Placement.mostRanks)
    if bundles != nil, !verify || like != nil { throw ValidationError("--bundles needs --verify and a MODEL.") }
    if manifest != nil, bundles == nil { throw ValidationError("--manifest needs --verify and --bundles.") }
    guard placementFor == nil else { return }
    let options = [
      ("--placement", roles.placement != nil), ("--coordinator-rank", roles.coordinatorRank != nil),
      ("--router-rank", roles.routerRank != nil), ("--write-placement", writePlacement != nil),
    ]
    if let option = options.first(where: \.1)?.0 {
      throw ValidationError("\(option) needs --placement-for: the number of ranks.")
    }
  }

  func run() throws {
    guard ProcessRank.current.isFirst else { return }
    if let bundles {
      let verification = BundleVerification(folder: try argument.url(), manifest: manifest, json: json)
      return try verification.run(bundles: bundles)
    }
    let subject = try Subject(like: like, argument)
    let configuration = subject.configuration
    let placement = try placementFor.map { try roles.placement(ranks: $0, configuration) }
    let formats = try subject.formats(quant.text)
    if verify {
      guard let prepared = subject.prepared else {
        throw UsageError("--verify: expected a prepared model, found another", hint: "flotilla prepare makes one")
      }
      try BundleVerification(folder: prepared.folder, manifest: nil, json: false).run(prepared, for: placement)
    }
    let facts = subject.facts
    let plan = placement.map { PlacementFacts($0, configuration, formats) }
    if let placement, let writePlacement { try write(placement, to: writePlacement) }
    if json {
      try StandardOutput.write(JSONLines.indented(Report(checkpoint: facts, placement: plan)))
    } else {
      try StandardOutput.write(facts.text + (plan.map { "\n" + $0.text } ?? ""))
    }
    if let warning = subject.warning { warn(warning) }
    let notes = [subject.note, placement?.idleNote]
    for text in notes.compactMap(\.self) { note(text) }
  }

  private struct Report: Encodable {
    let checkpoint: CheckpointFacts
    let placement: PlacementFacts?
  }

  private func write(_ placement: Placement, to path: String) throws {
    do {
      // In place: what replaces the file would replace a device or a link too.
      try Data(placement.json.utf8).write(to: URL(filePath: path))
    } catch {
      throw UsageError(
        "--write-placement: expected to write \(path), found \(error.localizedDescription)",
        hint: "Name a file in a folder that exists and may be written to")
    }
  }
}

/// What is looked at: a checkpoint, or a shape without weights.
private enum Subject {
  case checkpoint(Checkpoint)
  case shape(ModelShape, note: String?)

  init(like: String?, _ argument: ModelArgument) throws {
    if let like {
      self = .shape(try ModelShape(like: like), note: nil)
      return
    }
    let url = try argument.url()
    if let shape = try ModelShape(folderWithoutWeights: url) {
      self = .shape(shape, note: "no safetensors files in the folder: this is what config.json alone tells")
    } else {
      self = .checkpoint(try Checkpoint.open(url))
    }
  }

  var configuration: ModelConfiguration {
    switch self {
    case .checkpoint(let checkpoint): checkpoint.configuration
    case .shape(let shape, _): shape.configuration
    }
  }

  func formats(_ quant: String) throws -> WeightFormats {
    switch self {
    case .checkpoint(let checkpoint): try WeightFormats(quant: quant, for: checkpoint)
    case .shape(let shape, _): try WeightFormats(parsing: quant, natural: shape.naturalFormat)
    }
  }

  var prepared: PreparedStore? {
    guard case .checkpoint(let checkpoint) = self else { return nil }
    return checkpoint.prepared
  }

  var facts: CheckpointFacts {
    switch self {
    case .checkpoint(let checkpoint): CheckpointFacts(checkpoint)
    case .shape(let shape, _): CheckpointFacts(shape)
    }
  }

  var warning: String? {
    switch self {
    case .checkpoint(let checkpoint): checkpoint.warning
    case .shape(let shape, _): Checkpoint.warning(about: shape.configuration)
    }
  }

  var note: String? {
    guard case .shape(_, let note) = self else { return nil }
    return note
  }
}
