import DeepSeek
import Kernels

// The three parts of a step: schedule, forward, advance.

extension Engine {
  /// Which sequences take part in a step, with how many tokens.
  struct StepPlan {
    var batch = Batch()
    var members: [(sequence: GeneratedSequence, rows: Range<Int>)] = []
    var start = MonotonicClock.seconds()
    var prefills = false
  }

  func schedule() -> StepPlan {
    while active.count < limits.maxSequences && !waiting.isEmpty { active.append(waiting.removeFirst()) }
    var plan = StepPlan()
    if statistics.started == nil { statistics.started = plan.start }
    for sequence in active where !sequence.isPrefilling {
      let rows = plan.batch.append(sequence.segment(1), tokens: sequence.pending.prefix(1))
      plan.members.append((sequence, rows))
    }
    var room = limits.prefillChunk
    for sequence in active where sequence.isPrefilling && room > 0 {
      let count = min(room, sequence.promptCount - sequence.processed)
      let rows = plan.batch.append(sequence.segment(count), tokens: sequence.pending.prefix(count))
      plan.members.append((sequence, rows))
      plan.prefills = true
      room -= count
    }
    return plan
  }

  /// Logits of the last row of every sequence that is through its prompt.
  func forward(_ plan: StepPlan) throws -> ActivationRows? {
    guard plan.batch.rows > 0 else { return nil }
    let hidden = try model.forward(plan.batch, of: plan.members.map(\.sequence.id), fabric: fabric)
    for (sequence, rows) in plan.members { sequence.processed += rows.count }
    let wanted = plan.members.filter { !$0.sequence.isPrefilling }.map { $0.rows.upperBound - 1 }
    return wanted.isEmpty ? nil : model.logits(of: wanted, in: hidden)
  }

  func advance(_ plan: StepPlan, logits: ActivationRows?) throws -> [GenerationEvent] {
    var events: [GenerationEvent] = []
    var row = 0
    for (sequence, rows) in plan.members {
      if rows.lowerBound >= plan.batch.absorbedRows {
        statistics.promptTokens += rows.count
        events.append(.prefill(sequence: sequence.id, tokens: sequence.processed, total: sequence.promptCount))
      }
      guard let logits, !sequence.isPrefilling else { continue }
      events += try model.compute.measure(.sampling) { try generate(sequence, logits[row]) }
      row += 1
    }
    account(plan, generated: row)
    return events
  }

  private func account(_ plan: StepPlan, generated: Int) {
    let seconds = MonotonicClock.seconds() - plan.start
    statistics.steps += 1
    statistics.rowsComputed += plan.batch.rows
    statistics.cachedPositionsRead += plan.members.reduce(0) { $0 + $1.sequence.processed }
    if plan.prefills {
      statistics.prefillSeconds += seconds
      statistics.tokensInPrefillSteps += generated
    } else {
      statistics.decodeSeconds += seconds
      statistics.tokensInDecodeSteps += generated
    }
  }

  /// Chooses the next token of a sequence; finishes the sequence where it ends.
  private func generate(
    _ sequence: GeneratedSequence, _ logits: UnsafeMutableBufferPointer<Float>
  ) throws -> [GenerationEvent] {
    let request = sequence.request
    guard request.maxTokens > 0 else { return finish(sequence, .length) }
    guard sequence.tokens.count < limits.contextSize else { return finish(sequence, .context) }
    guard let distribution = LogProbabilities(logits, compute: model.compute) else {
      throw LogitsNotFinite(sequence: sequence.id, position: sequence.tokens.count - 1)
    }
    let forced = sequence.forcedToken
    let id =
      forced
      ?? sampler.next(
        logits, history: sequence.tokens, options: request.sampling, sequence: UInt64(sequence.id),
        position: sequence.tokens.count)
    if sequence.generatedCount == 0 {
      statistics.firstTokenSeconds.append(MonotonicClock.seconds() - (statistics.started ?? 0))
    }
    statistics.generatedTokens += 1
    let position = sequence.tokens.count
    sequence.tokens.append(id)
    let ends = !request.ignoresEndOfSequence && endTokens.contains(id)
    let isMark = sequence.reasoning.isMark(id)
    let part = sequence.reasoning.append(id)
    let text = ends ? "" : sequence.text(of: id, isMark: isMark && !request.keepsSpecialTokens)
    let token = GeneratedToken(
      sequence: sequence.id, position: position, id: id, text: text, part: part,
      logProbability: distribution[id], alternatives: distribution.top(request.topAlternatives),
      isForced: forced != nil)
    return [.token(token)] + finishIfDone(sequence, ends: ends)
  }

  private func finishIfDone(_ sequence: GeneratedSequence, ends: Bool) -> [GenerationEvent] {
    if ends { return finish(sequence, .endOfSequence) }
    if sequence.stops.matched != nil { return finish(sequence, .stopString) }
    if sequence.generatedCount >= sequence.request.maxTokens { return finish(sequence, .length) }
    if sequence.tokens.count >= limits.contextSize { return finish(sequence, .context) }
    return []
  }

  func finish(_ sequence: GeneratedSequence, _ reason: FinishReason) -> [GenerationEvent] {
    active.removeAll { $0 === sequence }
    if keepsFinished { parked.append(sequence) }
    return [.finished(sequence: sequence.id, reason, text: sequence.remainingText())]
  }
}
