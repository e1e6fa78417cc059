import Inference
import Reporting
import Tokenization

/// A chat at a terminal: takes lines, shows answers, obeys commands.
final class ChatRoom {
  private let session: RunSession
  private let engine: Engine
  private let thread: ChatThread
  private let lines: any LineSource
  private let terminal: Terminal
  /// Whether a person sees prompts and hints.
  private let isInteractive: Bool
  /// What a person reads first.
  private let greeting: String
  private let makeRequest: ([Int]) -> GenerationRequest
  /// Of the last answer.
  private var answer = AnswerStatistics()

  init(
    _ session: RunSession, _ engine: Engine, _ thread: ChatThread, lines: any LineSource, terminal: Terminal,
    isInteractive: Bool, greeting: String, makeRequest: @escaping ([Int]) -> GenerationRequest
  ) {
    self.session = session
    self.engine = engine
    self.thread = thread
    self.lines = lines
    self.terminal = terminal
    self.isInteractive = isInteractive
    self.greeting = greeting
    self.makeRequest = makeRequest
  }

  /// Until the person has nothing more to say.
  func run() throws {
    if isInteractive { try say(greeting + "/help lists what else there is; Ctrl-D ends.\n\n") }
    while let line = try nextLine() {
      switch ChatLine(line, isTyped: isInteractive) {
      case .message(let text): try respond(to: text)
      case .reset: try begin(system: thread.system, "The conversation begins anew.\n")
      case .system(let text):
        try begin(
          system: text, "The conversation begins anew, with\(text == nil ? "out a" : " that") system message.\n")
      case .stats: try say(answer.text(thread, engine) + "\n")
      case .help: try say(ChatLine.helpText)
      case .unknown(let word): try say("\(word): no such command; /help lists them.\n")
      case .farewell: try say("/quit ends; so does Ctrl-D.\n")
      case .quit: return
      case .nothing: break
      }
    }
  }

  /// A line, with those that it goes on in.
  private func nextLine() throws -> String? {
    var whole = ""
    var prompt = "> "
    while true {
      Fleet.clearInterrupt()
      guard let line = try lines.next(prompt: prompt, meanwhile: { try session.fabric?.rest() }) else {
        return whole.isEmpty ? nil : whole
      }
      guard line.hasSuffix("\\") else { return whole + line }
      whole += line.dropLast() + "\n"
      prompt = ". "
    }
  }

  private func begin(system: String?, _ text: String) throws {
    thread.reset(system: system)
    if isInteractive { try say(text) }
  }

  private func say(_ text: String) throws {
    try StandardOutput.write(terminal.styled(text, .dim))
    try StandardOutput.flush()
  }

  private func respond(to text: String) throws {
    let id: Int
    do {
      id = try thread.ask(text, makeRequest: makeRequest)
    } catch let error as RequestError {
      StandardError.write(Failure.message(error) + "hint: /reset begins anew\n")
      return
    }
    let before = engine.statistics
    var (style, said) = (PartStyle(terminal, showsMarks: true), "")
    var reason = FinishReason.cancelled
    let progress = ProgressLine("Reading", .tokens, isQuiet: !isInteractive)
    while !engine.isIdle {
      LauncherLink.report(session)
      for event in Fleet.isInterrupted ? engine.stop(id) : try engine.step() {
        switch event {
        case .prefill(_, let tokens, let total): progress.update(tokens, of: total)
        // Only what comes from a journal is replayed.
        case .replay: break
        case .token(let token):
          progress.finish()
          if token.part == .answer { said += token.text }
          try StandardOutput.write(style.change(to: token.part) + terminal.shown(token.text))
        case .finished(_, let ending, let rest):
          progress.finish()
          reason = ending
          if style.part != .reasoning { said += rest }
          try StandardOutput.write(terminal.shown(rest) + style.end() + "\n")
        }
      }
      try StandardOutput.flush()
    }
    if isInteractive, let note = reason.note { try say(note + "\n") }
    answer = AnswerStatistics(before, engine.statistics)
    if said.isEmpty { thread.withdraw() } else { thread.answered(said) }
    if isInteractive { try StandardOutput.write("\n") }
  }
}

/// How fast an answer came.
struct AnswerStatistics {
  private var prompt = (tokens: 0, seconds: 0.0)
  private var generated = (tokens: 0, seconds: 0.0)

  init() {}

  init(_ before: EngineStatistics, _ after: EngineStatistics) {
    prompt = (after.promptTokens - before.promptTokens, after.prefillSeconds - before.prefillSeconds)
    generated = (after.tokensInDecodeSteps - before.tokensInDecodeSteps, after.decodeSeconds - before.decodeSeconds)
  }

  /// "prompt: 20 tokens at 210 tokens/s (400 from the cache); answer: 128 tokens at 34.2 tokens/s; context: 548 of 4,096"
  func text(_ thread: ChatThread, _ engine: Engine) -> String {
    func rate(_ part: (tokens: Int, seconds: Double)) -> String {
      let rate = part.seconds > 0 ? ", \(Format.rate(Double(part.tokens) / part.seconds))" : ""
      return "\(Format.count(part.tokens)) tokens\(rate)"
    }
    let used = thread.lastPrompt.tokens + generated.tokens
    return "prompt: \(rate(prompt)) (\(Format.count(thread.lastPrompt.reused)) more from the cache); "
      + "answer: \(rate(generated)); context: \(Format.count(used)) of \(Format.count(engine.limits.contextSize)) tokens"
  }
}
