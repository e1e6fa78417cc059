import ArgumentParser
import DeepSeek
import Foundation
import Inference
import Kernels

/// `--quant`: run formats of the weights. Any text is taken; ``verify(_:)`` says what is wrong with it.
struct Quantization: ExpressibleByArgument, Sendable {
  /// As `WeightFormats` reads it.
  let text: String

  static let auto = Quantization("auto")

  init(_ text: String) { self.text = text }

  init?(argument: String) { text = argument }

  /// - Throws: `ValidationError` that names the option, what is wrong in its value, and what it takes.
  func verify(_ option: String) throws {
    do {
      _ = try WeightFormats(parsing: text, natural: .f32)
    } catch {
      throw ValidationError("\(option): \(error)")
    }
  }

  var defaultValueDescription: String { text }

  static let help = ArgumentHelp(
    """
    Run format of the weights: auto, f32, bf16, fp8, q8_0, q6_K, q4_K, q4_1 or Q4_K_M; also by part, as \
    q4_K,head=q8_0 or experts=q4_K,attention=q8_0 (parts: \
    \(WeightFormats.Part.allCases.map(\.rawValue).joined(separator: ", "))). auto runs the blocks of a \
    GGUF file as they are (see --requantize); else it is fp8 for official FP8 checkpoints, bf16 where all weights are stored so, else f32.
    """,
    valueName: "format")

  static let requantizeHelp: ArgumentHelp = """
    GGUF files, --quant auto: run types that no kernel has (Q5_1, Q2_K, Q3_K, Q5_K, IQ4_NL, IQ4_XS) in the nearest \
    run format: Q2_K and Q3_K in q4_K, the others in q6_K.
    """
}

extension HugePages: AnyCaseArgument {}

/// How attention's cache holds what it remembers.
enum CacheType: String, AnyCaseArgument, Sendable {
  case auto, f32, f16

  /// Nil: as fits the weights.
  var format: CacheFormat? { CacheFormat(rawValue: rawValue) }
}

/// Which model runs, and how.
struct ModelOptions: ParsableArguments {
  @OptionGroup var argument: ModelArgument

  @Option(help: Quantization.help)
  var quant = Quantization.auto

  @Flag(help: Quantization.requantizeHelp)
  var requantize = false

  @Option(
    help: """
      Format of the latents in attention's cache: auto, f32 or f16 (half the memory). auto is f32 where the weights \
      lose nothing.
      """)
  var cacheType = CacheType.auto

  @Option(
    name: .shortAndLong,
    help: "Compute threads of each rank, 1 to 1024. Default: its share of the processors it may use.")
  var threads: Int?

  @Option(help: "Most prompt tokens that go through the model at once, 1 to 65536.")
  var prefillChunk = 512

  @Option(
    help: """
      Parts that a prompt chunk is cut into, 1 to 16, so that attention of one overlaps with the experts of another; only \
      where experts live on several ranks.
      """)
  var microBatches = 2

  @Flag(help: "Prepared models: compare the hashes of what each rank needs before the run.")
  var verify = false

  @Flag(help: "Prepared models: bring all weights into memory before the run.")
  var populate = false

  @Flag(help: "Prepared models: the same, and keep them there.")
  var mlock = false

  @Option(
    help: """
      Prepared models: copy the weights of each rank into huge pages, which are read faster than the files' small ones: \
      auto (where the host has memory for it), on or off (ready at once; what does not fit is read from the disk).
      """)
  var hugePages = HugePages.auto

  var checks: PreparedChecks {
    var checks: PreparedChecks = []
    if verify { checks.insert(.verify) }
    if populate { checks.insert(.populate) }
    if mlock { checks.insert(.lock) }
    return checks
  }

  func validate() throws {
    try quant.verify("--quant")
    try check("--threads", threads, 1...1024)
    try check("--prefill-chunk", prefillChunk, 1...65_536)
    try check("--micro-batches", microBatches, 1...16)
  }
}

/// How long sequences may become, and how many run at once.
struct SequenceOptions: ParsableArguments {
  @Option(
    name: [.customShort("c"), .customLong("ctx-size")],
    help: "Most tokens of a sequence, prompt included, from 1. Default: what fits, at most the model's maximum.")
  var contextSize: Int?

  @Option(help: "Most sequences that are generated at once, 1 to 4096; more wait. Default: 16.")
  var parallel: Int?

  func validate() throws {
    try check("--ctx-size", contextSize, 1...(1 << 24))
    try check("--parallel", parallel, 1...4096)
  }
}

/// - Throws: `ValidationError` that names the option, what it takes and what it was given.
func check(_ option: String, _ value: Int?, _ range: ClosedRange<Int>) throws {
  guard let value, !range.contains(value) else { return }
  throw ValidationError("\(option): expected \(range.lowerBound) to \(range.upperBound), found \(value)")
}

func check(_ option: String, _ value: Double?, _ expected: String, _ holds: (Double) -> Bool) throws {
  guard let value, !(value.isFinite && holds(value)) else { return }
  throw ValidationError("\(option): expected \(expected), found \(value)")
}
