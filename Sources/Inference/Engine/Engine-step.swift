import DeepSeek
import Kernels

// The three parts of a step: schedule, forward, advance.

extension Engine {
  /// Which sequences take part in a step, with how many tokens.
  struct StepPlan {
    var batch = Batch()
    var members: [(sequence: GeneratedSequence, rows: Range<Int>)] = []
    var start = MonotonicClock.seconds()
    /// By this rank's products, before the step.
    var weightBytesRead: Int
    /// Whether prompts or tokens of an earlier run are read.
    var reads = false
    var isReplay = false
  }

  func schedule() -> StepPlan {
    while active.count < limits.maxSequences && !waiting.isEmpty { active.append(waiting.removeFirst()) }
    if active.contains(where: \.isBehind) { return replayPlan() }
    var plan = StepPlan(weightBytesRead: model.compute.weightBytesRead)
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
      plan.reads = true
      room -= count
    }
    return plan
  }

  /// Logits of the last row of every sequence that is through its tokens.
  func forward(_ plan: StepPlan) throws -> ActivationRows? {
    guard plan.batch.rows > 0 else { return nil }
    let hidden = try model.forward(plan.batch, of: plan.members.map(\.sequence.id), fabric: fabric)
    for (sequence, rows) in plan.members { sequence.processed += rows.count }
    let wanted = plan.members.filter { $0.sequence.isRead }.map { $0.rows.upperBound - 1 }
    return wanted.isEmpty ? nil : try model.logits(of: wanted, in: hidden, fabric: fabric)
  }

  func advance(_ plan: StepPlan, logits: ActivationRows?) throws -> [GenerationEvent] {
    if plan.isReplay { return advanceReplay(plan) }
    var events: [GenerationEvent] = []
    var row = 0
    for (sequence, rows) in plan.members {
      if rows.lowerBound >= plan.batch.absorbedRows {
        statistics.promptTokens += rows.count
        events.append(.prefill(sequence: sequence.id, tokens: sequence.processed, total: sequence.promptCount))
      }
      guard let logits, sequence.isRead else { continue }
      events += try model.compute.measure(.sampling) { try generate(sequence, logits[row]) }
      row += 1
    }
    account(plan, generated: row)
    return events
  }

  func account(_ plan: StepPlan, generated: Int) {
    let seconds = MonotonicClock.seconds() - plan.start
    statistics.steps += 1
    statistics.rowsComputed += plan.batch.rows
    statistics.cachedPositionsRead += plan.members.reduce(0) { $0 + $1.sequence.processed }
    if plan.reads {
      statistics.prefillSeconds += seconds
      statistics.tokensInPrefillSteps += generated
    } else {
      statistics.decodeSeconds += seconds
      statistics.tokensInDecodeSteps += generated
      statistics.weightBytesReadInDecode += model.compute.weightBytesRead - plan.weightBytesRead
    }
  }

  /// Chooses the next token of a sequence; finishes the sequence where it ends.
  private func generate(
    _ sequence: GeneratedSequence, _ logits: UnsafeMutableBufferPointer<Float>
  ) throws -> [GenerationEvent] {
    let request = sequence.request
    guard request.maxTokens > 0 else { return finish(sequence, .length) }
    guard sequence.tokens.count < limits.contextSize else { return finish(sequence, .context) }
    hash(logits, of: sequence)
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
    let (part, text) = sequence.append(id, ends: ends(sequence, id))
    let token = GeneratedToken(
      sequence: sequence.id, position: position, id: id, text: text, part: part,
      logProbability: distribution[id], alternatives: distribution.top(request.topAlternatives),
      isForced: forced != nil)
    return [.token(token)] + (reasonToFinish(sequence).map { finish(sequence, $0) } ?? [])
  }

  /// Whether the model ends the sequence with this token.
  func ends(_ sequence: GeneratedSequence, _ id: Int) -> Bool {
    !sequence.request.ignoresEndOfSequence && endTokens.contains(id)
  }

  /// Why a sequence is over with its last generated token; nil where it goes on.
  func reasonToFinish(_ sequence: GeneratedSequence) -> FinishReason? {
    if let last = sequence.tokens.last, ends(sequence, last) { return .endOfSequence }
    if sequence.stops.matched != nil { return .stopString }
    if sequence.generatedCount >= sequence.request.maxTokens { return .length }
    return sequence.tokens.count >= limits.contextSize ? .context : nil
  }

  func finish(_ sequence: GeneratedSequence, _ reason: FinishReason) -> [GenerationEvent] {
    active.removeAll { $0 === sequence }
    if keepsFinished { parked.append(sequence) }
    return [.finished(sequence: sequence.id, reason, text: sequence.remainingText())]
  }
}
