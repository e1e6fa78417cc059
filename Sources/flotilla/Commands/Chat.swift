import ArgumentParser
import Foundation
import Inference
import Reporting

struct Chat: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Talk with a model, turn by turn.",
    discussion: """
      Reasoning is dim. Lines can be edited, and the arrow keys bring back earlier ones. Ctrl-C stops an answer and not \
      the program; /quit or Ctrl-D ends it. Of a new turn only what the conversation did not hold before is read. \
      Several ranks: flotilla launch, which owns the terminal. Without a terminal each line of standard input is a turn.

      \(ChatLine.helpText)
      EXAMPLES
        flotilla chat
        flotilla chat DeepSeek-V2-Lite-Chat --quant q4_K --system "Be brief."
        flotilla launch --hosts a1,a2,a3 -- chat /models/DeepSeek-R1
      """)

  @OptionGroup(title: "Model") var model: ModelOptions
  @Option(
    name: [.customShort("c"), .customLong("ctx-size")],
    help: "Most tokens of the conversation, from 1. Default: what fits, at most the model's maximum.")
  var contextSize: Int?
  @Option(parsing: .unconditional, help: "A system message before the first turn.")
  var system: String?
  @Option(
    name: [.customShort("n"), .customLong("max-tokens")], parsing: .unconditional,
    help: "Most tokens of an answer, from 1. Default: what the context holds.")
  var maxTokens: Int?
  @Option(
    help: ArgumentHelp("Close the reasoning of an answer after n tokens, from 0.", valueName: "n"))
  var reasoningBudget: Int?
  @OptionGroup(title: "Sampling") var sampling: SamplingArguments
  @OptionGroup(title: "Ranks") var placement: PlacementOptions
  @Option(help: "Colors: auto, always or never.")
  var color = ColorChoice.auto
  @Option(help: ArgumentHelp("Append a record of the whole chat, one line of JSON.", valueName: "file"))
  var record: String?
  @Flag(name: .shortAndLong, help: "Nothing but answers: no hints, no progress.")
  var quiet = false
  /// As generate has it: for an answer to those who try it here.
  @Option(name: .shortAndLong, parsing: .unconditionalSingleValue, help: .hidden)
  var prompt: [String] = []

  private static let later = "chat takes questions after it has started; flotilla generate -p \"…\" answers one"

  func validate() throws {
    guard prompt.isEmpty else { throw ValidationError("-p: \(Self.later).") }
    try check("--ctx-size", contextSize, 1...(1 << 24))
    try check("--max-tokens", maxTokens, 1...(1 << 24))
    try check("--reasoning-budget", reasoningBudget, 0...(1 << 24))
  }

  func run() throws {
    let record = try record.map { path throws(RecordError) in try RecordFile(path: path) }
    var options = try RunOptions(model, placement)
    options.contextSize = contextSize
    options.parallel = 1
    try DistributedRun.perform(timeout: options.timeout, hub: options.coordinator) { fleet in
      if fleet.rank == fleet.coordinator { try refuseQuestion() }
      try DistributedRun.run(options, on: fleet, isQuiet: quiet) { session in
        guard let engine = session.engine else { return }
        engine.hashesLogits = record != nil
        let makeRequest = makeRequest(session)
        try room(session, engine, makeRequest).run()
        let sampling = RunRecord.Sampling(makeRequest([]))
        let finished = try RunRecord(of: session, sampling: sampling, id: nil, isKept: record != nil)
        try record?.append(finished)
      }
    }
  }

  /// What looks more like a question than like a path, and leads nowhere. On the coordinator's host: a launcher's own
  /// need not have the model.
  private func refuseQuestion() throws {
    guard let text = model.argument.path, !BuiltInModel.isNamed(text), text.contains(" ") || !text.contains("/"),
      !FileManager.default.fileExists(atPath: text), ModelArgument.absence(text) == nil
    else { return }
    throw UsageError(
      "\"\(printable(text, limit: 60))\" was read as MODEL, and there is no such file or folder", hint: Self.later)
  }

  private func makeRequest(_ session: RunSession) -> ([Int]) -> GenerationRequest {
    let drawn = sampling.options(defaults: session.checkpoint.generationDefaults)
    let (most, budget) = (maxTokens ?? .max, reasoningBudget)
    return { GenerationRequest(prompt: $0, maxTokens: most, sampling: drawn, reasoningBudget: budget) }
  }

  private func room(
    _ session: RunSession, _ engine: Engine, _ makeRequest: @escaping ([Int]) -> GenerationRequest
  ) throws -> ChatRoom {
    guard let tokenizer = session.tokenizer, tokenizer.hasChatTemplate else {
      throw UsageError(
        "tokenizer: expected one with a chat template, found \(session.tokenizer == nil ? "none" : "no template")",
        hint: "flotilla generate --raw takes prompts as they are")
    }
    let isBuiltIn = try model.argument.url() == BuiltInModel.folder()
    let thread = ChatThread(engine: engine, tokenizer: tokenizer, system: system, keepsTurns: !isBuiltIn)
    let (lines, isTerminal) = Self.lines()
    return ChatRoom(
      session, engine, thread, lines: lines, terminal: Terminal(STDOUT_FILENO, color: color),
      isInteractive: isTerminal && !quiet,
      greeting: isBuiltIn
        ? """
        \(BuiltInModel.name) does sums of these forms, N a whole number of up to four digits:
          What is N + N?   N + N = ?   Add N and N.   the same with -, or Take N from N.   with *, or Multiply N by N.
        The second factor has one digit, and no difference is below 0. Beside a few word problems anything else gives
        nonsense, and so does any question after a system message. Each question is taken by itself.

        """ : "", makeRequest: makeRequest)
  }

  /// Whoever types, or a file.
  private static func lines() -> (any LineSource, isTerminal: Bool) {
    if let link = LauncherLink.current {
      let isTerminal = link.terminal.hasInput && link.terminal.showsOutput
      return (isTerminal ? LauncherLines(link) : PlainLines(), isTerminal)
    }
    let isTerminal = isatty(STDIN_FILENO) == 1 && Terminal.standardOutput.isInteractive
    return (isTerminal ? TerminalLines() : PlainLines(), isTerminal)
  }
}
