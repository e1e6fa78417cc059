import ArgumentParser
import DeepSeek
import Foundation
import Inference
import Kernels
import Reporting
import Tokenization

struct Perplexity: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Perplexity of a text, and KL divergence between run formats.",
    discussion: """
      As llama.cpp's tool does it: the text is cut into windows of -c tokens, each begins with the \
      beginning-of-sentence token, and the tokens of its second half are scored.

      --kl-base FORMAT first runs the model in another format and keeps its logits, 4 bytes for each word of the \
      vocabulary and scored token, in a temporary file, or in that of --logits, which then serves later runs: \
      --logits without --kl-base reads it. Then the run of --quant is compared with it. The logits may be those of \
      another file of the same configuration: the result names it.

      EXAMPLES
        flotilla perplexity DeepSeek-V2-Lite -f wiki.test.raw --chunks 20
        flotilla perplexity DeepSeek-V2-Lite -f wiki.test.raw \\
          --quant q4_K --kl-base bf16 --logits base.logits
        flotilla perplexity DeepSeek-V2-Lite -f wiki.test.raw \\
          --quant Q4_K_M --logits base.logits
      """)

  @OptionGroup(title: "Model") var model: ModelOptions

  @OptionGroup(title: "Text") var text: TextOptions
  @OptionGroup(title: "Comparison") var comparison: ComparisonOptions
  @OptionGroup(title: "Ranks") var placement: PlacementOptions

  @Flag(help: "One JSON object instead of text.")
  var json = false

  @Flag(name: .shortAndLong, help: "No progress.")
  var quiet = false

  func run() throws {
    var options = try RunOptions(model, placement)
    options.contextSize = text.window
    options.contextOptions = "-c"
    options.prefillChunk = min(options.prefillChunk, text.window)
    options.parallel = 1
    try DistributedRun.perform(timeout: options.timeout, hub: options.coordinator) { fleet in
      // Before anything is loaded: a wrong path should not cost minutes.
      let contents = fleet.rank == fleet.coordinator ? try text.contents() : ""
      if fleet.rank == fleet.coordinator, comparison.klBase != nil, let logits = comparison.logits {
        try LogitsFile.requireReplaceable(URL(filePath: logits))
      }
      var base: LogitsFile?
      if let klBase = comparison.klBase {
        var options = options
        options.formats = klBase.text
        try DistributedRun.run(options, on: fleet, isQuiet: quiet) { session in
          let plan = try plan(session, contents)
          let file = try LogitsFile.create(comparison.logits.map { URL(filePath: $0) }, identity(session, plan))
          _ = try measure(session, plan, "Reading with \(session.formats)") {
            try $0.scores(keeping: file, progress: $1)
          }
          try file.seal()
          base = file
          _ = try session.finish()
        }
      }
      try DistributedRun.run(options, on: fleet, isQuiet: quiet) { session in
        let plan = try plan(session, contents)
        if base == nil, let logits = comparison.logits {
          base = try LogitsFile.open(URL(filePath: logits), wanted: identity(session, plan))
        }
        try show(result(session, plan, base))
        _ = try session.finish()
      }
    }
  }

  private func result(_ session: RunSession, _ plan: PerplexityPlan, _ base: LogitsFile?) throws -> PerplexityResult {
    let label = "Reading with \(session.formats)"
    let format = session.formats.description
    guard let base else {
      return PerplexityResult(
        try measure(session, plan, label) { try $0.scores(progress: $1) }, plan, format: format)
    }
    return PerplexityResult(
      try measure(session, plan, label) { try $0.comparisons(with: base, progress: $1) }, plan, format: format,
      baseFormat: base.identity.format, baseModel: base.identity.model)
  }

  private func measure<Result>(
    _ session: RunSession, _ plan: PerplexityPlan, _ label: String,
    _ body: (PerplexityRun, PerplexityRun.Progress) throws -> Result
  ) throws -> Result {
    let line = ProgressLine(label, .tokens, isQuiet: quiet)
    defer { line.finish() }
    let run = PerplexityRun(session, plan: plan, isInterrupted: { Fleet.isInterrupted })
    return try body(run) { line.update($0 * plan.window, of: $1 * plan.window) }
  }

  private func identity(_ session: RunSession, _ plan: PerplexityPlan) -> LogitsIdentity {
    LogitsIdentity(
      model: session.checkpoint.location.standardizedFileURL.lastPathComponent, session.configuration, plan: plan,
      format: session.formats.description)
  }

  private func plan(_ session: RunSession, _ contents: String) throws -> PerplexityPlan {
    guard let tokenizer = session.tokenizer else {
      throw UsageError("tokenizer.json: expected in the model's folder, found nothing")
    }
    let bos = tokenizer.bosToken.flatMap { tokenizer.encodeCompletion("").first == $0 ? $0 : nil }
    return try PerplexityPlan(
      tokens: tokenizer.encodeCompletion([TextSpan(contents, .message)]), window: text.window, most: text.chunks,
      bosToken: bos)
  }

  private func show(_ result: PerplexityResult) throws {
    guard json else { return try StandardOutput.write(PerplexityReport(result).text) }
    try StandardOutput.write(JSONLines.line(result))
  }
}
