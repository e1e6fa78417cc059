import Tokenization

/// A conversation that goes on: what was said, and where the engine's cache stands.
///
/// Each turn is rendered anew by the model's template, since templates leave reasoning of earlier turns out. What the
/// new prompt has in common with the one before is not read again.
public final class ChatThread {
  /// The message before the first turn; taking another one begins anew.
  public private(set) var system: String?
  public private(set) var turns: [(role: String, content: String)] = []
  private let engine: Engine
  private let tokenizer: Tokenizer
  /// Whether a turn knows of those before it.
  private let keepsTurns: Bool
  /// The sequence of the turn before, with its prompt.
  private var last: (id: Int, prompt: [Int])?
  /// Prompt tokens of the last turn, and how many of them were in the cache.
  public private(set) var lastPrompt = (tokens: 0, reused: 0)

  /// - Parameter keepsTurns: false for a model that was trained on single questions only.
  /// - Precondition: the tokenizer has a chat template.
  public init(engine: Engine, tokenizer: Tokenizer, system: String?, keepsTurns: Bool = true) {
    precondition(tokenizer.hasChatTemplate)
    self.keepsTurns = keepsTurns
    self.engine = engine
    self.tokenizer = tokenizer
    self.system = system
    engine.keepsFinished = true
  }

  /// Begins a turn.
  ///
  /// - Parameter makeRequest: from the prompt's token ids.
  /// - Returns: the number of the sequence that answers.
  /// - Throws: ``RequestError`` where the context is full, `TokenizationError` where the template refuses.
  public func ask(_ text: String, makeRequest: ([Int]) -> GenerationRequest) throws -> Int {
    let before = turns
    turns.append(("user", text))
    do {
      let prompt = tokenizer.encode(try tokenizer.render(Conversation(systemTurns + turns)))
      return try begin(makeRequest(prompt))
    } catch {
      turns = before
      throw error
    }
  }

  private func begin(_ request: GenerationRequest) throws -> Int {
    let id: Int
    let reused: Int
    if let last {
      let common = zip(last.prompt, request.prompt).prefix { $0 == $1 }.count
      reused = min(common, request.prompt.count - 1, engine.processedPrompt(ofParked: last.id))
      id = try engine.resume(last.id, as: request, keeping: reused)
    } else {
      reused = 0
      id = try engine.add(request)
    }
    last = (id, request.prompt)
    lastPrompt = (request.prompt.count, reused)
    return id
  }

  private var systemTurns: [(role: String, content: String)] { system.map { [("system", $0)] } ?? [] }

  /// Keeps what the model answered, without its reasoning.
  public func answered(_ text: String) {
    if keepsTurns { turns.append(("assistant", text)) } else { turns = [] }
  }

  /// Forgets the last question, which was not answered.
  public func withdraw() { if turns.last?.role == "user" { turns.removeLast() } }

  /// Begins anew, with another system message or none.
  public func reset(system: String?) {
    turns = []
    self.system = system
  }
}

extension Engine {
  /// Positions of a parked sequence's prompt that are in its cache.
  func processedPrompt(ofParked id: Int) -> Int {
    parked.first { $0.id == id }.map { min($0.processed, $0.promptCount) } ?? 0
  }
}
