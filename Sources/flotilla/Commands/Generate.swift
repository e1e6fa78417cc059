import ArgumentParser
import Foundation
import Inference
import Reporting

struct Generate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Generate text from one or more prompts.",
    discussion: """
      The prompt goes through the model's chat template (--raw: as it is). Text goes to standard output as it \
      comes, reasoning set apart; the throughput report goes to standard error. What a prompt holds never becomes \
      a special token.

      --json writes a line for each finished sequence, in the order in which they finish: "prompt" (from 0), "text", \
      "reasoning", "finish" and "tokens", each of these with "id", "position" in the sequence, "text", "part" \
      (reasoning or answer), "logprob" (natural logarithm), "forced" where --reasoning-budget chose it, and "top" \
      with --top-logprobs. "finish" is end (the model ended), stop (a --stop text), length (--max-tokens), context \
      (--ctx-size is full) or cancelled (Ctrl-C). Without --quiet a line {"run": …} follows, with the record of the run.

      --journal keeps what is needed to go on after a crash. --resume goes on with the very same tokens, also with \
      other ranks, placement, threads or machines; it shows the text from its beginning, as an undisturbed run would.

      EXAMPLES
        flotilla generate -p "What is 478 + 256?"
        flotilla generate DeepSeek-V2-Lite -p "One" -p "and another" --json
        mpirun -n 8 --bind-to none flotilla generate DeepSeek-R1 -p "Is 91 prime?"
        flotilla generate DeepSeek-V2-Lite -p "One" --journal one.journal
        mpirun -n 3 --bind-to none flotilla generate --resume one.journal
      More ranks than cores on one host: add --oversubscribe.
      """)

  @OptionGroup(title: "Model") var model: ModelOptions
  @OptionGroup(title: "Model") var sequences: SequenceOptions
  @OptionGroup(title: "Prompt") var prompt: PromptOptions
  @OptionGroup(title: "Length and sampling") var length: LengthOptions
  @OptionGroup(title: "Length and sampling") var sampling: SamplingArguments
  @OptionGroup(title: "Ranks") var placement: PlacementOptions
  @OptionGroup(title: "Journal") var journal: JournalOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  func validate() throws {
    if journal.resume != nil { return try refuseWhatJournalsSay() }
    if length.alternatives > 0, !output.json { throw ValidationError("--top-logprobs needs --json.") }
    guard prompt.count == 0 else { return }
    if let text = model.argument.path, !BuiltInModel.isNamed(text),
      !FileManager.default.fileExists(atPath: text)
    {
      if let absence = ModelArgument.absence(text) {
        throw ValidationError("\(absence). There is no prompt either: it goes behind -p.")
      }
      throw ValidationError("\"\(text)\" was read as MODEL, and there is no such folder. A prompt goes behind -p.")
    }
    throw ValidationError("no prompt: give one with -p \"…\", or with -f FILE (-f - reads standard input).")
  }

  func run() throws {
    let record = try output.recordFile()
    if let path = journal.resume { try resume(path, record) } else { try begin(record) }
  }

  private func begin(_ record: RecordFile?) throws {
    var options = try RunOptions(model, sequences, placement)
    options.parallel = min(options.parallel, max(1, prompt.count))
    try DistributedRun.perform(timeout: options.timeout, hub: options.coordinator) { fleet in
      // Before anything is loaded, which may take minutes.
      let writer = fleet.rank == fleet.coordinator ? try journal.create() : nil
      try DistributedRun.run(options, on: fleet, isQuiet: output.quiet) { session in
        guard let engine = session.engine else { return }
        try output.recordRouting(of: session)
        let sampling = sampling.options(defaults: session.checkpoint.generationDefaults)
        let requests = try prompt.encoded(by: session).map { length.request($0, sampling) }
        for request in requests { try engine.add(request) }
        let header = JournalHeader(session, path: model.argument.path, sequences: requests.count)
        try writer?.begin(header, requests)
        let printer = printer(sequences: requests.count, showsMarks: !length.special)
        try GenerationRun(
          session: session, engine: engine, printer: printer, journal: writer, record: record, request: requests.first
        ).perform()
      }
    }
  }

  func printer(sequences: Int, showsMarks: Bool) -> any GenerationPrinter {
    output.json
      ? JSONPrinter(isQuiet: output.quiet)
      : TextPrinter(
        sequences: sequences, terminal: output.terminal, isQuiet: output.quiet, showsMarks: showsMarks)
  }
}
