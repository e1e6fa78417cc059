import ArgumentParser
import Checkpoint
import ExpertParallel
import Foundation
import Inference
import Kernels

struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what a checkpoint is, and what each rank of a run would hold.",
    discussion: """
      Reads config.json and the headers of the safetensors files, no weights.

      EXAMPLES
        flotilla inspect DeepSeek-R1
        flotilla inspect DeepSeek-R1 --placement-for 8 --quant bf16
        flotilla inspect DeepSeek-R1 --placement-for 8 --write-placement r1-on-8.json
      """)

  @OptionGroup var argument: ModelArgument

  @Option(help: ArgumentHelp("Show what each of this many ranks would hold.", valueName: "ranks"))
  var placementFor: Int?

  @OptionGroup(title: "PLACEMENT") var roles: RoleOptions

  @Option(help: ArgumentHelp("Write the placement to a file, for --placement.", valueName: "file"))
  var writePlacement: String?

  @Option(help: Quantization.help)
  var quant = Quantization.auto

  @Flag(help: "One JSON object instead of text.")
  var json = false

  func validate() throws {
    try check("--placement-for", placementFor, 1...Placement.mostRanks)
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
    let checkpoint = try Checkpoint.open(try argument.url())
    let placement = try placementFor.map {
      try roles.placement(ranks: $0, checkpoint.configuration)
    }
    let facts = CheckpointFacts(checkpoint)
    let plan = try placement.map { try PlacementFacts($0, checkpoint, quant: quant) }
    if let placement, let writePlacement { try write(placement, to: writePlacement) }
    if json {
      try StandardOutput.write(JSONLines.indented(Report(checkpoint: facts, placement: plan)))
    } else {
      try StandardOutput.write(facts.text + (plan.map { "\n" + $0.text } ?? ""))
    }
    if let warning = checkpoint.warning { warn(warning) }
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
