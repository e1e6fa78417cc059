import ArgumentParser
import Foundation
import Inference

struct Trace: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write logits, hidden states and routing of given token ids, to compare with other implementations.",
    discussion: """
      FILE is safetensors; for prompt 0: p0.input_ids, p0.logits, p0.next_logprobs, p0.hidden.L (0 is the \
      embedding), p0.final_norm, p0.layerN.router_logits, .expert_ids, .expert_weights, and with --greedy \
      p0.greedy_ids, p0.greedy_logits, p0.greedy_logprobs.

      EXAMPLES
        flotilla trace DeepSeek-V2-Lite --token-ids 0,89,187 -o trace.safetensors
        mpirun -n 4 --bind-to none \\
          flotilla trace DeepSeek-V2-Lite --token-ids 0,89,187 --sha256
      More ranks than cores on one host: add --oversubscribe.
      """)

  @OptionGroup(title: "Model") var model: ModelOptions
  @OptionGroup(title: "Model") var sequences: SequenceOptions
  @OptionGroup(title: "Ranks") var placement: PlacementOptions

  @Option(
    help: ArgumentHelp("Token ids of a prompt, separated by commas. Repeated: prompts 0, 1, …", valueName: "1,2,3"))
  var tokenIds: [String] = []

  @Option(name: .shortAndLong, help: ArgumentHelp("Where to write.", valueName: "file"))
  var output: String?

  @Option(help: ArgumentHelp("Continue every prompt by the n most probable tokens, 0 to 65536.", valueName: "n"))
  var greedy = 0

  @Flag(name: .customLong("sha256"), help: "Print one SHA-256 of the bits of all logits.")
  var sha256 = false

  @Flag(help: "Run all prompts in the same batches. No bit changes.")
  var together = false

  @Flag(name: .shortAndLong, help: "No progress.")
  var quiet = false

  func validate() throws {
    _ = try prompts()
    try check("--greedy", greedy, 0...65_536)
    guard output != nil || sha256 else {
      throw ValidationError("nothing to do: give --output FILE, --sha256, or both.")
    }
  }

  func run() throws {
    try DistributedRun.perform(RunOptions(model, sequences, placement), isQuiet: quiet) { session in
      guard let engine = session.engine, let fabric = session.fabric else { return }
      // On the coordinator's host, which writes.
      if let output { try OutputFile(option: "--output", path: output).checkFolder() }
      let prompts = try prompts()
      for prompt in prompts { try engine.verify(prompt: prompt, continuation: greedy) }
      fabric.wantsLogits = true
      let tracer = Tracer(model: engine.model, fabric: fabric, chunk: session.limits.prefillChunk)
      let traces = try tracer.trace(prompts: prompts, greedy: greedy, together: together)
      if let output { try TraceFile.write(traces, session.configuration, to: URL(filePath: output)) }
      if sha256 { try StandardOutput.write(TraceFile.hash(traces) + "\n") }
      _ = try session.finish()
    }
  }

  private func prompts() throws -> [[Int]] {
    guard !tokenIds.isEmpty else { throw ValidationError("--token-ids: expected at least one prompt, found none.") }
    return try tokenIds.map { text in
      try text.split(separator: ",", omittingEmptySubsequences: false).map { part in
        guard let id = Int(part.trimmingCharacters(in: .whitespaces)), id >= 0 else {
          throw ValidationError("--token-ids: expected numbers separated by commas, found \"\(part)\" in \"\(text)\".")
        }
        return id
      }
    }
  }
}
