// What a sequence has read need not be read again: it can be set aside, and go on with another request that
// begins with the same tokens.

extension Engine {
  /// Ends a sequence that is generated or waits; it is set aside where finished ones are.
  public func stop(_ id: Int) -> [GenerationEvent] {
    guard let sequence = (active + waiting).first(where: { $0.id == id }) else { return [] }
    waiting.removeAll { $0 === sequence }
    return finish(sequence, .cancelled)
  }

  /// Sets an active sequence aside: steps leave it out, its cache stays.
  ///
  /// - Throws: ``RequestError`` where it is not active.
  public func park(_ id: Int) throws {
    guard let index = active.firstIndex(where: { $0.id == id }) else {
      throw RequestError("sequence \(id): expected an active one, found none of that number")
    }
    parked.append(active.remove(at: index))
  }

  /// Ends a parked sequence and goes on from its cache with another request.
  ///
  /// - Parameters:
  ///   - positions: how many of the first positions to keep; the rest of the prompt is read again. Prompts only:
  ///     generated positions have another form.
  /// - Returns: the number of the new sequence.
  /// - Throws: ``RequestError`` where there is no such sequence, its tokens differ or its cache is too small.
  public func resume(_ id: Int, as request: GenerationRequest, keeping positions: Int) throws -> Int {
    guard let index = parked.firstIndex(where: { $0.id == id }) else {
      throw RequestError("sequence \(id): expected a parked one, found none of that number")
    }
    try verify(request)
    let old = parked[index]
    let most = min(old.processed, old.promptCount, request.prompt.count - 1)
    guard positions >= 0 && positions <= most else {
      throw RequestError("positions to keep of sequence \(id): expected 0 to \(most), found \(positions)")
    }
    guard old.request.prompt.prefix(positions) == request.prompt.prefix(positions) else {
      throw RequestError("prompt: expected the first \(positions) tokens of sequence \(id), found others")
    }
    let capacity = keepsFinished ? limits.contextSize : capacity(for: request)
    guard capacity <= old.cache.capacity else {
      throw RequestError(
        "cache of sequence \(id): expected room for \(capacity) positions, found \(old.cache.capacity)")
    }
    let sequence = try makeSequence(request) { old.cache }
    parked.remove(at: index)
    promptTokens += request.prompt.count - positions
    sequence.processed = positions
    waiting.append(sequence)
    return sequence.id
  }
}
