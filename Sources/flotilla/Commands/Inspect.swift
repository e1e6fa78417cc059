import ArgumentParser
import Checkpoint
import DeepSeek
import ExpertParallel
import Foundation
import Inference
import Reporting

struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what a checkpoint is, what each rank of a run would hold, and what to download.",
    discussion: """
      Reads config.json and the headers of the safetensors files, or a GGUF file's, no weights. Of a split GGUF model \
      the first part is enough: it tells whether the model will run, in what formats, and which parts are missing. \
      The exit code is 2 where it will not run with the given options. --like needs no checkpoint at all: it \
      tells what each rank would hold before anything is downloaded. Shapes with a name: tiny, mini, bench-3b, \
      v2-lite, v2, r1.

      The name of a published model in place of a path tells what to fetch for the wanted --quant, how large it is \
      and the lines to paste. This program never uses the network for it.

      EXAMPLES
        flotilla inspect DeepSeek-R1 --quant q4_K
        flotilla inspect /models/DeepSeek-R1
        flotilla inspect DeepSeek-R1-Q4_K_M-00001-of-00009.gguf
        flotilla inspect --like r1 --placement-for 8 --quant q4_K
        flotilla inspect DeepSeek-R1 --placement-for 8 --write-placement r1.json
      """)

  @OptionGroup var argument: ModelArgument

  @Option(
    help: ArgumentHelp(
      "In place of MODEL: a config.json, a folder that holds one, or the name of a model or shape.",
      valueName: "config"))
  var like: String?

  @Option(
    help: ArgumentHelp(
      "Show what each of this many ranks would hold, 1 to 65536. Default: those of --placement.", valueName: "ranks"))
  var placementFor: Int?

  @OptionGroup(title: "PLACEMENT") var roles: RoleOptions

  @Option(help: ArgumentHelp("Write the placement to a new file, for --placement.", valueName: "file"))
  var writePlacement: String?

  @Option(help: Quantization.help)
  var quant = Quantization.auto

  @Flag(help: Quantization.requantizeHelp)
  var requantize = false

  @Flag(
    help: """
      Of a prepared model: compare the hashes of all bundles that are here; with --placement-for all that the ranks \
      need must be here.
      """)
  var verify = false

  @Option(
    help: ArgumentHelp(
      "With --verify: these bundles and nothing else, as dense,gates,mtp,0-31,40, or none; numbers are experts.",
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
    try quant.verify("--quant")
    try check("--placement-for", placementFor, 1...Placement.mostRanks)
    if bundles != nil, !verify || like != nil { throw ValidationError("--bundles needs --verify and a MODEL.") }
    if manifest != nil, bundles == nil { throw ValidationError("--manifest needs --verify and --bundles.") }
    if roles.denseSlices == .host {
      throw ValidationError("--dense-slices host: which ranks share a host shows when they run: all or none.")
    }
    guard placementFor == nil else { return }
    let options = [
      ("--coordinator-rank", roles.coordinatorRank != nil),
      ("--router-rank", roles.routerRank != nil), ("--coordinator-experts", roles.coordinatorExperts != nil),
      ("--dense-slices", roles.denseSlices != nil && roles.placement == nil),
      ("--write-placement", writePlacement != nil && roles.placement == nil),
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
    if let writePlacement { try PlacementOutput.checkIsNew(writePlacement) }
    let subject = try Subject(like: like, argument)
    let configuration = subject.configuration
    let ranks = try placementFor ?? roles.ranksOfFile()
    let placement = try ranks.map { try roles.placement(ranks: $0, configuration) }
    let tokenizer = subject.tokenizer
    let run = try subject.runFacts(quant.text, requantizes: requantize, tokenizer?.error)
    let formats = try run?.formats ?? subject.formats(quant.text)
    if verify {
      guard let prepared = subject.prepared else {
        throw UsageError("--verify: expected a prepared model, found another", hint: "flotilla prepare makes one")
      }
      try BundleVerification(folder: prepared.folder, manifest: nil, json: false).run(prepared, for: placement)
    }
    let facts = subject.facts(run, formats, tokenizer?.state)
    let plan = placement.map { PlacementFacts($0, configuration, formats) }
    let download = subject.published.map { DownloadFacts($0, quant.text, formats, placement, roles) }
    if let placement, let writePlacement { try PlacementOutput.write(placement, to: writePlacement) }
    if json {
      try StandardOutput.write(JSONLines.indented(Report(checkpoint: facts, placement: plan, download: download)))
    } else {
      try StandardOutput.write([facts.text, plan?.text, download?.text].compactMap(\.self).joined(separator: "\n"))
    }
    for text in [subject.warning, tokenizer?.state.warning(subject.name)].compactMap(\.self) { warn(text) }
    for text in subject.notes + [placement?.idleNote].compactMap(\.self) { note(text) }
    if let error = run?.error { throw error }
    if let error = tokenizer?.error { throw error }
  }

  private struct Report: Encodable {
    let checkpoint: CheckpointFacts
    let placement: PlacementFacts?
    let download: DownloadFacts?
  }
}
