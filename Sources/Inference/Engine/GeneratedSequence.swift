import DeepSeek
import Tokenization

/// One sequence while it is generated: its tokens, its cache, and where its text stands.
///
/// Positions below `prompt.count` are a prompt's (expanded attention), later ones are generated (absorbed).
/// The boundary belongs to the sequence: how a step happens to cut it changes nothing.
final class GeneratedSequence {
  let id: Int
  let request: GenerationRequest
  /// Made when the sequence's turn comes.
  private(set) lazy var cache = makeCache()
  private let makeCache: () -> LatentCache
  /// Prompt, then generated tokens.
  var tokens: [Int]
  /// Positions that are in the cache.
  var processed = 0
  var reasoning: ReasoningTracker
  var decoder: StreamDecoder?
  var stops: StopStrings

  init(
    id: Int, request: GenerationRequest, makeCache: @escaping () -> LatentCache, reasoning: ReasoningTracker,
    decoder: StreamDecoder?
  ) {
    self.id = id
    self.request = request
    self.makeCache = makeCache
    self.reasoning = reasoning
    self.decoder = decoder
    tokens = request.prompt
    stops = StopStrings(request.stopStrings)
  }

  var promptCount: Int { request.prompt.count }
  var generatedCount: Int { tokens.count - promptCount }
  var isPrefilling: Bool { processed < promptCount }
  /// Whether the next token can be drawn: all known ones are read.
  var isRead: Bool { processed == tokens.count }
  /// Tokens that must be read before the sequence stands where an earlier run left it: all but the last.
  var replayCount: Int { request.continuation.isEmpty ? 0 : promptCount + request.continuation.count - 1 }
  var isBehind: Bool { processed < replayCount }
  /// The token that comes next whatever the model says.
  var forcedToken: Int? {
    generatedCount < request.forcedTokens.count ? request.forcedTokens[generatedCount] : reasoning.forcedToken
  }
  /// Tokens known but not yet in the cache.
  var pending: ArraySlice<Int> { tokens[processed...] }

  /// The next `count` pending positions as a segment.
  func segment(_ count: Int) -> Segment {
    Segment(cache: cache, firstPosition: processed, count: count, form: isPrefilling ? .expanded : .absorbed)
  }
}

extension GeneratedSequence {
  /// Takes the next token; tells the part it belongs to and the text that becomes certain with it.
  ///
  /// - Parameter ends: whether it ends the sequence; then it has no text.
  func append(_ id: Int, ends: Bool) -> (part: TextPart, text: String) {
    tokens.append(id)
    let isMark = reasoning.isMark(id)
    let part = reasoning.append(id)
    return (part, ends ? "" : text(of: id, isMark: isMark && !request.keepsSpecialTokens))
  }

  /// Text that a token makes certain.
  private func text(of id: Int, isMark: Bool) -> String {
    guard decoder != nil else { return "" }
    if isMark { return stops.append(decoder!.flush()) }
    return stops.append(decoder!.append(id))
  }

  /// What was held back, at the end.
  func remainingText() -> String {
    guard stops.matched == nil else { return "" }
    let rest = stops.append(decoder?.flush() ?? "")
    return rest + stops.flush()
  }
}
