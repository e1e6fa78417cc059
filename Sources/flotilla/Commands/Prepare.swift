import ArgumentParser
import Checkpoint
import DeepSeek
import Foundation
import Inference
import MessagePassing
import Reporting

struct Prepare: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a checkpoint in the form that runs as it lies on the disk, for any placement.",
    discussion: """
      One bundle for each routed expert, one for the dense part, one for the gates, one for multi-token prediction \
      (kept as it is), and a manifest with hashes. Runs map the bundles, or copy them into huge pages where memory has \
      room (--huge-pages). A preparation that was interrupted goes on where it stopped: give the same arguments again. \
      Further bundles are added to the same folder.

      EXAMPLES
        flotilla prepare DeepSeek-R1 /models/r1-q4 --quant q4_K
        flotilla prepare R1 /local/r1 --quant q4_K --experts 0-31 --no-dense
        flotilla inspect /models/r1-q4 --verify
      """)

  @Argument(
    help: ArgumentHelp(
      "Hugging Face folder of a checkpoint, a GGUF file, or Abacus: the built-in model.", valueName: "model"))
  var model: String

  @Argument(help: ArgumentHelp("Folder to write: new, empty, or one that prepare began.", valueName: "out"))
  var output: String

  @Option(help: Quantization.help)
  var quant = Quantization.auto

  @Flag(help: Quantization.requantizeHelp)
  var requantize = false

  @Option(
    help: ArgumentHelp("Which experts, as 0-31,40, or none. Default: all.", valueName: "ids"))
  var experts: String?

  @Flag(help: "Leave out the dense part and multi-token prediction. Gates are always there.")
  var noDense = false

  @Option(name: .shortAndLong, help: "Threads, 1 to 1024. Default: the processors that it may use.")
  var threads: Int?

  @Flag(help: "Begin anew: remove what an earlier preparation left in the folder.")
  var force = false

  @Flag(name: .shortAndLong, help: "No progress, no summary.")
  var quiet = false

  func validate() throws {
    try quant.verify("--quant")
    try check("--threads", threads, 1...1024)
  }

  func run() throws {
    guard ProcessRank.current.isFirst else { return }
    let checkpoint = try Checkpoint.open(try ModelArgument.url(model))
    let name = checkpoint.location.standardizedFileURL.lastPathComponent
    let warnings = [checkpoint.warning, TokenizerState.of(checkpoint).state.warning(name)].compactMap(\.self)
    if !quiet { warnings.forEach(warn) }
    let formats = try WeightFormats(quant: quant.text, requantizes: requantize, for: checkpoint)
    TerminationSignal.install()
    let threads = threads ?? ProcessInfo.processInfo.activeProcessorCount
    let checks = ProgressLine("Comparing what is there", .bytes, isQuiet: quiet)
    let preparation = try Preparation(
      checkpoint, formats: formats, bundles: try bundles(checkpoint), into: URL(filePath: output),
      version: Flotilla.version, startsAnew: force, threads: threads
    ) {
      checks.update($0, of: $1)
      if Fleet.isInterrupted { throw Interrupted() }
    }
    checks.finish()
    if !preparation.damaged.isEmpty {
      warn("damaged, and made again: \(preparation.damaged.map(\.fileName).joined(separator: ", "))")
    }
    if !quiet, preparation.bytesBefore > 0 {
      note("\(Format.bytes(preparation.bytesBefore)) of \(Format.bytes(preparation.bytes)) are there already")
    }
    let line = ProgressLine("Preparing", .bytes, isQuiet: quiet)
    let manifest: PreparedManifest
    do {
      // Rate and time left are those of what this run does.
      manifest = try preparation.run(threads: threads) {
        line.update($0 - preparation.bytesBefore, of: $1 - preparation.bytesBefore)
        if Fleet.isInterrupted { throw Interrupted() }
      }
    } catch let interruption as Interrupted {
      line.finish()
      if !quiet { note("what is done is kept; the same command goes on from there") }
      throw interruption
    } catch let error as CheckpointError {
      // The disk's fault, not that of the options.
      line.finish()
      throw Failure(cause: error, status: .failure)
    }
    line.finish()
    if !quiet { try StandardOutput.write(summary(manifest, formats, WeightConversions(checkpoint, formats))) }
  }

  private func bundles(_ checkpoint: Checkpoint) throws -> Set<BundleName> {
    let count = checkpoint.configuration.routedExperts
    var names: Set<BundleName> = noDense ? [.gates] : [.gates, .dense, .mtp]
    if experts == "none" { return names }
    guard let ids = experts.map({ ExpertRanges.experts($0, below: count) }) ?? Array(0..<count) else {
      throw UsageError(
        "--experts: expected ids from 0 to \(count - 1) as 0-31,40, or none, found \(experts ?? "")",
        hint: "The model has \(count) routed experts a layer")
    }
    names.formUnion(ids.map { .expert($0) })
    return names
  }

  private func summary(
    _ manifest: PreparedManifest, _ formats: WeightFormats, _ conversions: WeightConversions
  ) -> String {
    let (others, experts) = BundleName.sorted(manifest.bundles.map(\.name))
    let held = others + (experts.isEmpty ? [] : ["experts \(ExpertRanges.text(experts))"])
    return "Prepared \(printable(output)): \(formats), \(manifest.bundles.count) bundles of "
      + "\(Format.bytes(manifest.bytes)) in all (\(held.joined(separator: ", "))).\n"
      + conversions.texts.map { $0 + ".\n" }.joined()
  }
}
