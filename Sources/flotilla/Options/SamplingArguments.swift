import ArgumentParser
import Checkpoint
import Inference

/// How tokens are drawn; what is not given comes from the checkpoint's generation_config.json.
struct SamplingArguments: ParsableArguments {
  @Option(
    name: [.customLong("temp"), .customLong("temperature")],
    help: """
      Temperature, 0 to 100; 0 is greedy, the most probable token. Default, here and below: generation_config.json, or \
      greedy.
      """)
  var temperature: Double?

  @Option(help: "Draw from the k most probable tokens, from 0; 0: all.")
  var topK: Int?

  @Option(help: "Draw from the most probable tokens whose probabilities sum to at least p: above 0, at most 1; 1: all.")
  var topP: Double?

  @Option(help: "Draw from tokens at least p times as probable as the best, 0 to 1; 0: all.")
  var minP: Double?

  @Option(help: "Make tokens that occurred less probable, 0.001 to 1000; 1: off.")
  var repeatPenalty: Double?

  @Option(
    name: .shortAndLong,
    help: "Seed, from 0: the same one gives the same text, on any number of ranks. Default: 0, not a random one.")
  var seed: UInt64?

  func validate() throws {
    try check("--temp", temperature, "0 to 100") { (0...100).contains($0) }
    try check("--top-k", topK, 0...(1 << 24))
    try check("--top-p", topP, "above 0, at most 1") { $0 > 0 && $0 <= 1 }
    try check("--min-p", minP, "0 to 1") { (0...1).contains($0) }
    try check("--repeat-penalty", repeatPenalty, "0.001 to 1000") { (1e-3...1e3).contains($0) }
  }

  /// Greedy where neither the options nor the checkpoint ask for sampling.
  func options(defaults: GenerationDefaults) -> SamplingOptions {
    var options = SamplingOptions.greedy
    switch defaults.sample {
    case false?: options.temperature = 0
    case true?: options.temperature = defaults.temperature ?? 1
    case nil: options.temperature = defaults.temperature ?? 0
    }
    options.topK = defaults.topK ?? options.topK
    // A top-p of 0 keeps the most probable token only; ours starts above 0.
    if let topP = defaults.topP { options.topP = max(topP, .leastNormalMagnitude) }
    options.minP = defaults.minP ?? options.minP
    options.repetitionPenalty = defaults.repetitionPenalty ?? options.repetitionPenalty
    options.temperature = temperature ?? options.temperature
    options.topK = topK ?? options.topK
    options.topP = topP ?? options.topP
    options.minP = minP ?? options.minP
    options.repetitionPenalty = repeatPenalty ?? options.repetitionPenalty
    options.seed = seed ?? options.seed
    return options
  }
}
