import DeepSeek

// Going on where an earlier run stopped. Until all active sequences stand where they stood there, steps do nothing but
// read their tokens; from then on sequences come and go in the same order as in a run that was never disturbed.

extension Engine {
  /// Reads the known tokens of sequences that are behind, many at a time: prompts expanded, generated ones absorbed,
  /// as each was computed before. The last one is left to the step that draws the next token.
  func replayPlan() -> StepPlan {
    var plan = StepPlan(weightBytesRead: model.compute.weightBytesRead)
    if statistics.started == nil { statistics.started = plan.start }
    plan.isReplay = true
    plan.reads = true
    var room = limits.prefillChunk
    let behind = active.filter(\.isBehind)
    // Absorbed rows come first in a batch.
    for sequence in behind.filter({ !$0.isPrefilling }) + behind.filter(\.isPrefilling) where room > 0 {
      let end = sequence.isPrefilling ? sequence.promptCount : sequence.replayCount
      let count = min(room, end - sequence.processed)
      let rows = plan.batch.append(sequence.segment(count), tokens: sequence.pending.prefix(count))
      plan.members.append((sequence, rows))
      room -= count
    }
    return plan
  }

  func advanceReplay(_ plan: StepPlan) -> [GenerationEvent] {
    statistics.replayedTokens += plan.batch.absorbedRows
    statistics.promptTokens += plan.batch.rows - plan.batch.absorbedRows
    account(plan, generated: 0)
    let done = active.reduce(0) { $0 + min($1.processed, $1.replayCount) }
    return [.replay(tokens: done, total: active.reduce(0) { $0 + $1.replayCount })]
  }

  /// Brings a new sequence to where the request's continuation left it: tokens, text, reasoning.
  ///
  /// - Throws: ``RequestError`` where another prompt, other options or another tokenizer would have given it.
  func takeContinuation(of sequence: GeneratedSequence) throws {
    let known = sequence.request.continuation
    guard !known.isEmpty else { return }
    try verify(known.map(\.id), "continuation")
    for token in known {
      func refuse(_ expected: String, _ found: String) -> RequestError {
        RequestError(
          "continuation of sequence \(sequence.id) at position \(token.position): expected \(expected), "
            + "found \(found)")
      }
      guard token.position == sequence.tokens.count else {
        throw refuse("position \(sequence.tokens.count)", "another")
      }
      let forced = sequence.forcedToken
      guard token.isForced == (forced != nil), forced ?? token.id == token.id else {
        throw refuse(forced.map { "token \($0), forced" } ?? "one that is not forced", "token \(token.id)")
      }
      let (part, text) = sequence.append(token.id, ends: ends(sequence, token.id))
      let sameText = text.utf8.elementsEqual(token.text.utf8)
      guard tokenizer == nil || (part == token.part && sameText) else {
        throw refuse(
          "\(token.part) \(Self.quoted(token.text)) of token \(token.id), as the tokenizer gave it then",
          "\(part) \(Self.quoted(text)). Hint: the tokenizer's files differ from those of the earlier run")
      }
      if let reason = reasonToFinish(sequence) {
        throw refuse("a sequence that goes on", "its end (\(reason.rawValue))")
      }
    }
  }

  private static func quoted(_ text: String) -> String { "\"\(text.prefix(100))\"" }
}
