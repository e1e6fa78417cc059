import ArgumentParser
import Checkpoint
import Foundation
import Inference
import MessagePassing
import Reporting

struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a checkpoint as a GGUF file, for llama.cpp and for comparisons on the same bytes.",
    discussion: """
      The file is an ordinary deepseek2 one: tokenizer and chat template included, keys and values of attention \
      split, experts merged, norms and gates in F32. Flotilla runs it too.

      Types: F32, F16, BF16, Q8_0, Q6_K; Q4_K (its head in Q6_K); Q4_K_M (llama.cpp's mix: head and the down \
      projections of some layers in Q6_K). Rows that 256 does not divide become Q4_1 where Q4_K is asked for and \
      Q8_0 where Q6_K is, rows that 32 does not divide F16; the summary says how many.

      --split-max-size cuts the file as llama.cpp's gguf-split does: OUT-00001-of-00009.gguf and so on.

      EXAMPLES
        flotilla export DeepSeek-V2-Lite v2-lite.gguf --type Q4_K_M
        flotilla export DeepSeek-R1 r1-bf16.gguf --split-max-size 50G
      """)

  @Argument(
    help: ArgumentHelp(
      "Hugging Face folder of a checkpoint, a GGUF file, or Abacus: the built-in model.", valueName: "model"))
  var model: String

  @Argument(help: ArgumentHelp("File to write; it must not be there yet.", valueName: "out.gguf"))
  var output: String

  @Option(help: "Element type of the matrices. Default: BF16 where all weights are stored so, else F32.")
  var type: String?

  @Option(
    help: ArgumentHelp(
      "Most bytes of tensors in a file, as 500M or 50G (powers of 1000); more make several files.", valueName: "size"))
  var splitMaxSize: ByteCount?

  @Flag(name: .shortAndLong, help: "No progress, no summary.")
  var quiet = false

  func validate() throws {
    guard let type, GGUFMix(name: type) == nil else { return }
    let names = GGUFMix.allCases.map(\.rawValue).joined(separator: ", ")
    throw ValidationError("--type: expected one of \(names), found \"\(type)\"\(Self.advice(type)).")
  }

  /// What to take for a type that is none.
  private static func advice(_ type: String) -> String {
    switch PrecisionName(type) {
    case .f32: "; use F32"
    case .f16: "; use F16"
    case .bf16: "; use BF16"
    case .fp8: "; no FP8 is written: use BF16, or Q8_0"
    case .bits8: "; use Q8_0"
    case .bits6: "; use Q6_K"
    case .bits4: "; use Q4_K or Q4_K_M"
    case nil: ""
    }
  }

  func run() throws {
    guard ProcessRank.current.isFirst else { return }
    let checkpoint = try Checkpoint.open(try ModelArgument.url(model))
    if let warning = checkpoint.warning, !quiet { warn(warning) }
    let mix = type.flatMap(GGUFMix.init(name:)) ?? (checkpoint.naturalFormat == .bf16 ? .bf16 : .f32)
    let exporter = try GGUFExporter(
      checkpoint, mix, tokenizer: try checkpoint.tokenizerMetadata(), partBytes: splitMaxSize?.bytes)
    let progress = ProgressLine("Writing", .bytes, isQuiet: quiet)
    let files: [URL]
    do {
      TerminationSignal.install()
      files = try exporter.write(to: URL(filePath: output)) {
        progress.update($0, of: $1)
        if Fleet.isInterrupted { throw Interrupted() }
      }
    } catch let error as CheckpointError where error.subject != "output" {
      // The disk's fault, not that of the options.
      progress.finish()
      throw Failure(cause: error, status: .failure)
    }
    progress.finish()
    if !quiet { try StandardOutput.write(summary(exporter, mix, files)) }
  }

  private func summary(_ exporter: GGUFExporter, _ mix: GGUFMix, _ files: [URL]) -> String {
    let types = exporter.bytesByType.sorted { ($0.value, $1.key.name) > ($1.value, $0.key.name) }
      .map { "\($0.key.name) \(Format.bytes($0.value))" }
    let first = printable(files.count > 1 ? files[0].path(percentEncoded: false) : output)
    var lines = [
      "Wrote \(files.count > 1 ? "\(files.count) files, \(first) and so on" : first): \(mix.rawValue), \(Format.bytes(exporter.fileBytes)) ("
        + types.joined(separator: ", ") + ")."
    ]
    let fallbacks = exporter.fallbacks.sorted {
      ($0.key.columns, $0.key.wanted.name) < ($1.key.columns, $1.key.wanted.name)
    }
    for (fallback, tensors) in fallbacks {
      lines.append(
        "\(tensors) tensor\(tensors == 1 ? "" : "s") with rows of \(fallback.columns): \(fallback.written.name) instead "
          + "of \(fallback.wanted.name), whose blocks have \(fallback.wanted.blockElements) elements.")
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
