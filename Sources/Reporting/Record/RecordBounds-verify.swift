extension RunRecord {
  /// What a page counts on: ranks in order, and no number that none can be.
  ///
  /// - Throws: the first field that is otherwise.
  func verify() throws(RecordLine.Problem) {
    guard (1...RecordBounds.ranks).contains(ranks.count) else {
      throw RecordLine.Problem("ranks", expected: "1 to \(RecordBounds.ranks) of them", found: "\(ranks.count)")
    }
    try model.verify()
    try setup.verify()
    try tokens.verify()
    try seconds.verify()
    try RecordBounds.check("sampling.max_tokens", sampling?.maxTokens, to: RecordBounds.bytes)
    try RecordBounds.check("steps", steps, to: RecordBounds.tokens)
    try RecordBounds.check("load_seconds", loadSeconds, to: RecordBounds.seconds)
    try RecordBounds.check("rates.decode_tokens_per_second", rates.decode, to: RecordBounds.rate)
    try RecordBounds.check("rates.prefill_tokens_per_second", rates.prefill, to: RecordBounds.rate)
    for (phase, time) in phases.sorted(by: { $0.key < $1.key }) {
      try RecordBounds.check("phases.\(phase)", time, to: RecordBounds.seconds)
    }
    try RecordBounds.check("expert_load_imbalance", expertLoadImbalance, to: Double(RecordBounds.ranks))
    try RecordBounds.check("parameters_per_token", parametersPerToken, to: Double(RecordBounds.bytes))
    for (index, rank) in ranks.enumerated() {
      guard rank.rank == index else {
        throw RecordLine.Problem("ranks.\(index).rank", expected: "\(index): all in order", found: "\(rank.rank)")
      }
      try rank.verify(model, ofRanks: ranks.count)
    }
    try surroundings?.verify()
  }
}

extension RunRecord.Model {
  fileprivate func verify() throws(RecordLine.Problem) {
    try RecordBounds.check("model.parameters", parameters, to: RecordBounds.bytes)
    try RecordBounds.check("model.weight_bytes", weightBytes, to: RecordBounds.bytes)
    try RecordBounds.check("model.expert_layers", expertLayers, to: RecordBounds.experts)
    try RecordBounds.check("model.experts_per_layer", expertsPerLayer, to: RecordBounds.experts)
    try RecordBounds.check("model.experts_per_token", expertsPerToken, to: expertsPerLayer)
  }
}

extension RunRecord.Setup {
  fileprivate func verify() throws(RecordLine.Problem) {
    try RecordBounds.check("setup.ranks", ranks, to: RecordBounds.ranks)
    try RecordBounds.check("setup.threads", listOf: threads.count, to: RecordBounds.ranks)
    for (index, count) in threads.enumerated() {
      try RecordBounds.check("setup.threads.\(index)", count, to: RecordBounds.threads)
    }
    try RecordBounds.check("setup.context_size", contextSize, to: RecordBounds.positions)
    try RecordBounds.check("setup.prefill_chunk", prefillChunk, to: RecordBounds.positions)
    try RecordBounds.check("setup.max_sequences", maxSequences, to: RecordBounds.sequences)
  }
}

extension RunRecord.Tokens {
  fileprivate func verify() throws(RecordLine.Problem) {
    let most = RecordBounds.tokens
    try RecordBounds.check("tokens.prompt", prompt, to: most)
    try RecordBounds.check("tokens.generated", generated, to: most)
    try RecordBounds.check("tokens.computed", computed, to: most)
    try RecordBounds.check("tokens.replayed", replayed, to: most)
    try RecordBounds.check("tokens.in_prefill_steps", inPrefillSteps, to: most)
    try RecordBounds.check("tokens.in_decode_steps", inDecodeSteps, to: most)
  }
}

extension RunRecord.Seconds {
  fileprivate func verify() throws(RecordLine.Problem) {
    try RecordBounds.check("seconds.prefill", prefill, to: RecordBounds.seconds)
    try RecordBounds.check("seconds.decode", decode, to: RecordBounds.seconds)
    try RecordBounds.check("seconds.first_token", listOf: firstToken.count, to: RecordBounds.sequences)
    for (index, time) in firstToken.enumerated() {
      try RecordBounds.check("seconds.first_token.\(index)", time, to: RecordBounds.seconds)
    }
  }
}

extension RunRecord.Rank {
  private func name(_ key: CodingKeys) -> String { "ranks.\(rank).\(key.rawValue)" }

  fileprivate func verify(_ model: RunRecord.Model, ofRanks count: Int) throws(RecordLine.Problem) {
    try RecordBounds.check(name(.expertsHeld), expertsHeld, to: model.expertsPerLayer)
    try RecordBounds.check(name(.expertsActivated), expertsActivated, to: model.expertsPerLayer)
    let counts: [(CodingKeys, Int?)] = [
      (.expertPairsActivated, expertPairsActivated), (.expertPairsHeld, expertPairsHeld), (.expertRows, expertRows),
      (.parametersApplied, parametersApplied), (.bytesSent, bytesSent), (.bytesReceived, bytesReceived),
      (.messagesSent, messagesSent), (.messagesReceived, messagesReceived), (.residentBytes, residentBytes),
      (.weightBytesRead, weightBytesRead), (.weightBytesReadInDecode, weightBytesReadInDecode),
      (.storageBytesRead, storageBytesRead),
    ]
    for (key, value) in counts {
      try RecordBounds.check(name(key), value, to: RecordBounds.counts(ofRanks: count))
    }
    try verify(.bytesSentTo, bytesSentTo)
    try verify(.messagesSentTo, messagesSentTo)
    try verifyTimes()
  }

  private func verify(_ key: CodingKeys, _ list: [Int]?) throws(RecordLine.Problem) {
    try RecordBounds.check(name(key), listOf: list?.count, to: RecordBounds.ranks)
    for (receiver, value) in (list ?? []).enumerated() {
      try RecordBounds.check("\(name(key)).\(receiver)", value, to: RecordBounds.betweenRanks)
    }
  }

  private func verifyTimes() throws(RecordLine.Problem) {
    let times: [(CodingKeys, Double)] = [
      (.busySeconds, busySeconds), (.waitSeconds, waitSeconds), (.expertSeconds, expertSeconds),
      (.gateSeconds, gateSeconds), (.dispatchSeconds, dispatchSeconds), (.combineSeconds, combineSeconds),
    ]
    for (key, value) in times { try RecordBounds.check(name(key), value, to: RecordBounds.seconds) }
    try RecordBounds.check(name(.busyShare), busyShare, to: 1)
    for (index, piece) in (timeline ?? []).enumerated() {
      try RecordBounds.check("\(name(.timeline)).\(index).end", piece.end, to: RecordBounds.seconds)
      try RecordBounds.check("\(name(.timeline)).\(index).start", piece.start, to: piece.end)
    }
  }
}

extension RunRecord.Surroundings {
  fileprivate func verify() throws(RecordLine.Problem) {
    try RecordBounds.check("surroundings.sockets", sockets, to: RecordBounds.threads)
    try RecordBounds.check("surroundings.machine.cores", machine.cores, to: RecordBounds.threads)
    for (index, interface) in (interfaces ?? []).enumerated() {
      try RecordBounds.check("surroundings.interfaces.\(index).bytes", interface.bytes, to: RecordBounds.bytes)
    }
  }
}

extension RunProgress {
  /// - Throws: the first field that no run says.
  func verify() throws(RecordLine.Problem) {
    try RecordBounds.check("progress.prompt_tokens", promptTokens, to: RecordBounds.tokens)
    try RecordBounds.check("progress.prompt_total", promptTotal, to: RecordBounds.tokens)
    try RecordBounds.check("progress.generated_tokens", generatedTokens, to: RecordBounds.tokens)
    try RecordBounds.check("progress.tokens_per_second", tokensPerSecond, to: RecordBounds.rate)
    try RecordBounds.check("progress.elapsed_seconds", elapsedSeconds, to: RecordBounds.seconds)
  }
}
