import Inference
import Reporting

/// Shows what is generated.
protocol GenerationPrinter: AnyObject {
  func show(_ event: GenerationEvent) throws
  /// Whether ``end(_:)`` shows the record itself.
  var showsRecord: Bool { get }
  /// After the last event.
  func end(_ record: RunRecord) throws
}

/// Text as it comes; of several sequences, the next one when the one before is done.
final class TextPrinter: GenerationPrinter {
  private let terminal: Terminal
  private let isQuiet: Bool
  private let sequences: Int
  private let progress: ProgressLine
  private let replay: ProgressLine
  private var current = 0
  private var style: PartStyle
  /// Text of sequences whose turn has not come.
  private var waiting: [Int: [(text: String, part: TextPart)]] = [:]
  private var finished: [Int: FinishReason] = [:]
  /// Sequences with tokens. One of --max-tokens 0 has none, and nothing is shown of it.
  private var begun: Set<Int> = []

  init(sequences: Int, terminal: Terminal, isQuiet: Bool, showsMarks: Bool) {
    style = PartStyle(terminal, showsMarks: showsMarks)
    self.sequences = sequences
    self.terminal = terminal
    self.isQuiet = isQuiet
    progress = ProgressLine("Reading the prompt", .tokens, isQuiet: isQuiet)
    replay = ProgressLine("Reading the journal's tokens", .tokens, isQuiet: isQuiet)
  }

  func show(_ event: GenerationEvent) throws {
    switch event {
    case .prefill(_, let tokens, let total):
      progress.update(tokens, of: total)
    case .replay(let tokens, let total):
      replay.update(tokens, of: total)
      if tokens == total { replay.finish() }
    case .token(let token):
      progress.finish()
      begun.insert(token.sequence)
      try add(token.text, token.part, of: token.sequence)
    case .finished(let sequence, let reason, let text):
      progress.finish()
      if reason != .length || begun.contains(sequence) { try add(text, nil, of: sequence) }
      finished[sequence] = reason
      while let reason = finished[current] { try next(after: reason) }
    }
  }

  let showsRecord = false

  func end(_ record: RunRecord) throws {
    try StandardOutput.flush()
    if !isQuiet && record.steps > 0 { StandardError.write("\n" + ThroughputReport(record).text) }
  }

  private func add(_ text: String, _ part: TextPart?, of sequence: Int) throws {
    guard sequence == current else {
      let last = waiting[sequence]?.last?.part ?? .answer
      waiting[sequence, default: []].append((text, part ?? last))
      return
    }
    try write(text, part ?? style.part ?? .answer)
  }

  private func write(_ text: String, _ part: TextPart) throws {
    if style.part == nil && sequences > 1 {
      try StandardOutput.write(terminal.styled("Prompt \(current + 1):", .bold) + "\n")
    }
    try StandardOutput.write(style.change(to: part) + terminal.shown(text))
  }

  private func next(after reason: FinishReason) throws {
    let hasText = style.part != nil
    try StandardOutput.write(style.end())
    if hasText {
      try StandardOutput.write("\n")
      try StandardOutput.flush()
      if !isQuiet, let note = reason.note { StandardError.write(note + "\n") }
      if current + 1 < sequences { try StandardOutput.write("\n") }
    }
    current += 1
    for piece in waiting.removeValue(forKey: current) ?? [] { try write(piece.text, piece.part) }
  }

}

extension FinishReason {
  /// Why there is no more text, where the text does not tell.
  var note: String? {
    switch self {
    case .endOfSequence, .stopString: nil
    case .length: "(stopped after --max-tokens)"
    case .context: "(the context is full: a larger --ctx-size lets it go on)"
    case .cancelled: "(interrupted)"
    }
  }
}

/// One line of JSON for each finished sequence, and one for the run.
final class JSONPrinter: GenerationPrinter {
  fileprivate struct Line: Encodable {
    var prompt: Int
    var reasoning = ""
    var text = ""
    var finish = ""
    var tokens: [Token] = []
  }

  fileprivate struct Token: Encodable {
    let id: Int
    let position: Int
    let text: String
    let part: TextPart
    let logprob: Double
    let forced: Bool?
    let top: [Alternative]?
  }

  fileprivate struct Alternative: Encodable {
    let id: Int
    let logprob: Double
  }

  private let isQuiet: Bool

  init(isQuiet: Bool) { self.isQuiet = isQuiet }

  private var lines: [Int: Line] = [:]

  func show(_ event: GenerationEvent) throws {
    switch event {
    case .prefill, .replay: break
    case .token(let token):
      lines[token.sequence, default: Line(prompt: token.sequence)].add(token)
    case .finished(let sequence, let reason, let text):
      var line = lines.removeValue(forKey: sequence) ?? Line(prompt: sequence)
      line.finish = reason.rawValue
      line.add(text, line.tokens.last?.part ?? .answer)
      try StandardOutput.write(JSONLines.line(line))
    }
  }

  var showsRecord: Bool { !isQuiet }

  func end(_ record: RunRecord) throws {
    if showsRecord { try StandardOutput.write(JSONLines.line(["run": record])) }
  }
}

extension JSONPrinter.Line {
  fileprivate mutating func add(_ text: String, _ part: TextPart) {
    if part == .reasoning { reasoning += text } else { self.text += text }
  }

  fileprivate mutating func add(_ token: GeneratedToken) {
    add(token.text, token.part)
    tokens.append(
      .init(
        id: token.id, position: token.position, text: token.text, part: token.part, logprob: token.logProbability,
        forced: token.isForced ? true : nil,
        top: token.alternatives.isEmpty
          ? nil : token.alternatives.map { .init(id: $0.id, logprob: $0.logProbability) }))
  }
}
