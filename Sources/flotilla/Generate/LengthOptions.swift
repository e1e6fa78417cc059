import ArgumentParser
import Inference

/// When a sequence ends, and what is told of each token.
struct LengthOptions: ParsableArguments {
  @Option(
    name: [.customShort("n"), .customLong("max-tokens")], parsing: .unconditional,
    help: "Most tokens to generate, from 0; -1, the default: up to the context size.")
  var maxTokens: Int?

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp("End before this text. May be repeated.", valueName: "text"))
  var stop: [String] = []

  @Flag(help: "Go on after the model's end-of-sequence token.")
  var ignoreEos = false

  @Option(
    help: ArgumentHelp(
      "Close the reasoning after n tokens, from 0; the answer then comes from what has been thought so far.",
      valueName: "n"))
  var reasoningBudget: Int?

  @Option(
    name: .customLong("top-logprobs"),
    help: ArgumentHelp("With --json: also the n most probable tokens of each position, 0 to 100.", valueName: "n"))
  var alternatives = 0

  @Flag(help: "Keep special tokens in the text.")
  var special = false

  func validate() throws {
    try check("--max-tokens", maxTokens, -1...(1 << 24))
    try check("--reasoning-budget", reasoningBudget, 0...(1 << 24))
    try check("--top-logprobs", alternatives, 0...100)
    if stop.contains("") { throw ValidationError("--stop: expected some text, found nothing.") }
  }

  func request(_ prompt: [Int], _ sampling: SamplingOptions) -> GenerationRequest {
    GenerationRequest(
      prompt: prompt, maxTokens: maxTokens.flatMap { $0 < 0 ? nil : $0 } ?? .max, sampling: sampling,
      stopStrings: stop, ignoresEndOfSequence: ignoreEos, reasoningBudget: reasoningBudget,
      topAlternatives: alternatives, keepsSpecialTokens: special)
  }
}
