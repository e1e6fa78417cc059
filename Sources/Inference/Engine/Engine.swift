import Checkpoint
import Crypto
import DeepSeek
import Kernels
import Tokenization

/// Generates any number of sequences together. The one facade that commands, benches and tests use; it lives on
/// the coordinator's rank.
public final class Engine {
  public let model: Model
  public let limits: EngineLimits
  public internal(set) var statistics = EngineStatistics()
  package let fabric: any ExpertFabric
  let tokenizer: Tokenizer?
  let sampler: Sampler
  var active: [GeneratedSequence] = []
  var waiting: [GeneratedSequence] = []
  /// Out of the steps, with their caches.
  var parked: [GeneratedSequence] = []
  private var nextNumber = 0
  private let reasoningMarks: (open: Int?, close: Int?)
  let endTokens: Set<Int>

  /// - Parameters:
  ///   - tokenizer: nil: token ids only, no text.
  ///   - endTokens: ids that end a sequence; nil: as the configuration says.
  public init(
    model: Model, fabric: any ExpertFabric, tokenizer: Tokenizer?, limits: EngineLimits, endTokens: [Int]? = nil
  ) {
    self.endTokens = Set(endTokens ?? model.configuration.eosTokens)
    self.model = model
    self.fabric = fabric
    self.tokenizer = tokenizer
    self.limits = limits
    sampler = Sampler(vocabularySize: model.configuration.vocabularySize, compute: model.compute)
    reasoningMarks = (tokenizer?.id(of: "<think>"), tokenizer?.id(of: "</think>"))
  }

  /// Whether finished sequences are set aside with their caches, for ``resume(_:as:keeping:)``, and each gets a cache of
  /// the whole context.
  public var keepsFinished = false

  /// Whether logits of generated tokens are hashed, for ``EngineStatistics/logitsHash``.
  public var hashesLogits = false
  /// By number of the sequence.
  var logitsHashes: [Int: SHA256] = [:]

  /// Keeps which experts ran; nil: nobody wants to know.
  public var routing: RoutingRecorder? {
    didSet { model.routingTap = routing }
  }

  /// Tokens of all prompts that were asked for and not read before.
  public internal(set) var promptTokens = 0

  /// Whether every sequence is finished or parked.
  public var isIdle: Bool { active.isEmpty && waiting.isEmpty }

  /// Takes a request; its number appears in the events.
  ///
  /// - Parameter number: of the sequence, above those given out so far; random numbers depend on it. Nil: the next one.
  /// - Throws: ``RequestError`` where the prompt is empty, too long or holds impossible ids, or the continuation is
  ///   not one of it.
  @discardableResult
  public func add(_ request: GenerationRequest, number: Int? = nil) throws -> Int {
    try verify(request)
    let number = number ?? nextNumber
    guard number >= nextNumber else {
      throw RequestError("number of a sequence: expected \(nextNumber) or more, found \(number)")
    }
    let capacity = keepsFinished ? limits.contextSize : capacity(for: request)
    let sequence = try makeSequence(request, number: number) { [model] in model.makeCache(capacity: capacity) }
    promptTokens += request.prompt.count
    waiting.append(sequence)
    return sequence.id
  }

  /// Positions that a request may need.
  func capacity(for request: GenerationRequest) -> Int {
    let room = limits.contextSize - request.prompt.count
    return request.prompt.count + min(max(request.maxTokens, 1), room)
  }

  func makeSequence(
    _ request: GenerationRequest, number: Int? = nil, makeCache: @escaping () -> LatentCache
  ) throws -> GeneratedSequence {
    let sequence = GeneratedSequence(
      id: number ?? nextNumber, request: request, makeCache: makeCache,
      reasoning: ReasoningTracker(
        open: reasoningMarks.open, close: reasoningMarks.close, prompt: request.prompt,
        budget: request.reasoningBudget),
      decoder: tokenizer?.streamDecoder(skipSpecial: !request.keepsSpecialTokens))
    try takeContinuation(of: sequence)
    nextNumber = sequence.id + 1
    return sequence
  }

  /// One pass through the model for all active sequences.
  ///
  /// - Throws: ``LogitsNotFinite``, ``RoutingRecordError``, and what the fabric throws.
  public func step() throws -> [GenerationEvent] {
    let plan = schedule()
    let logits = try forward(plan)
    try routing?.stepDone(rows: plan.batch.rows, decodeRows: plan.batch.absorbedRows)
    return try advance(plan, logits: logits)
  }

  /// Runs until every sequence is finished.
  public func run(onEvent: (GenerationEvent) throws -> Void) throws {
    while !isIdle { for event in try step() { try onEvent(event) } }
  }

  /// Ends every sequence now, parked ones too.
  public func cancel() -> [GenerationEvent] {
    defer {
      active.removeAll()
      waiting.removeAll()
      parked.removeAll()
    }
    return (active + waiting + parked).map { .finished(sequence: $0.id, .cancelled, text: $0.remainingText()) }
  }

  func verify(_ request: GenerationRequest) throws {
    try request.sampling.verify()
    try verify(prompt: request.prompt, continuation: 0)
    try verify(request.forcedTokens, "forced tokens")
  }

  private var contextHint: String {
    let most = model.configuration.maxPositions
    return limits.contextSize < most
      ? "raise it with --ctx-size (the model allows \(most))" : "shorten the prompt: the model allows no more"
  }

  /// - Parameter continuation: tokens that must fit behind the prompt.
  /// - Throws: ``RequestError`` where the prompt is empty, too long or holds impossible ids.
  public func verify(prompt: [Int], continuation: Int) throws {
    guard !prompt.isEmpty else { throw RequestError("prompt: expected at least one token, found none") }
    guard prompt.count <= limits.contextSize - continuation else {
      throw RequestError(
        "prompt: expected at most \(limits.contextSize - continuation) tokens in a context of \(limits.contextSize), "
          + "found \(prompt.count). Hint: \(contextHint)")
    }
    try verify(prompt, "prompt")
  }

  func verify(_ tokens: [Int], _ what: String) throws {
    let vocabulary = model.configuration.vocabularySize
    if let id = tokens.first(where: { $0 < 0 || $0 >= vocabulary }) {
      throw RequestError("\(what): expected token ids from 0 to \(vocabulary - 1), found \(id)")
    }
  }
}
