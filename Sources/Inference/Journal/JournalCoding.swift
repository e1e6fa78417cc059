import Checkpoint
import DeepSeek
import StrictJSON

// The three kinds of lines as JSON; Documentation/Resuming.md describes them.

private func list(_ numbers: [Int]) -> JSONValue { .array(numbers.map { .int($0) }) }
private let ids = 0...Int(Int32.max)

extension JournalHeader {
  var json: JSONValue {
    .members([
      "flotilla_journal": .int(Self.format), "version": .text(version),
      "model": .members([
        "name": .text(model.name), "path": model.path.map { .text($0) } ?? .null,
        "fingerprint": .text(model.fingerprint),
      ]),
      "quant": .text(quant), "requantize": .bool(requantizes), "formats": .text(formats),
      "cache": .text(cacheFormat.rawValue), "context": .int(contextSize), "parallel": .int(parallel),
      "end_tokens": list(endTokens), "sequences": .int(sequences),
    ])
  }

  init(_ fields: JournalFields) throws(JournalError) {
    let format = try fields.integer("flotilla_journal", 0...Int.max)
    guard format == Self.format else {
      throw fields.wrong("flotilla_journal", "\(Self.format), the format of this version of flotilla", "\(format)")
    }
    try fields.refuseOthers([
      "flotilla_journal", "version", "model", "quant", "requantize", "formats", "cache", "context", "parallel",
      "end_tokens", "sequences", "crc",
    ])
    version = try fields.text("version")
    let model = try fields.fields("model")
    try model.refuseOthers(["name", "path", "fingerprint"])
    self.model = Model(
      name: try model.text("name"),
      path: try model.value("path", "null or text") { $0.isNull ? .some(nil) : $0.string.map(Optional.some) },
      fingerprint: try model.text("fingerprint"))
    quant = try fields.text("quant")
    requantizes = try fields.flag("requantize")
    formats = try fields.text("formats")
    cacheFormat = try fields.value("cache", "f32 or f16") { $0.string.flatMap { CacheFormat(rawValue: $0) } }
    contextSize = try fields.integer("context", 1...Int(Int32.max))
    parallel = try fields.integer("parallel", 1...Int(Int32.max))
    endTokens = try fields.integers("end_tokens", ids)
    sequences = try fields.integer("sequences", 1...Int(Int32.max))
  }
}

extension GenerationRequest {
  /// - Parameter number: of the sequence.
  func json(number: Int) -> JSONValue {
    .members([
      "sequence": .int(number), "prompt": list(prompt),
      // Which positions are computed in which form never changes.
      "expanded": .array([list([0, prompt.count])]), "max_tokens": maxTokens == .max ? .null : .int(maxTokens),
      "temperature": .double(sampling.temperature), "top_k": .int(sampling.topK), "top_p": .double(sampling.topP),
      "min_p": .double(sampling.minP), "repetition_penalty": .double(sampling.repetitionPenalty),
      // Does not fit what JSON readers make of numbers.
      "seed": .text("\(sampling.seed)"), "stop": .array(stopStrings.map { .text($0) }),
      "ignore_eos": .bool(ignoresEndOfSequence), "reasoning_budget": reasoningBudget.map { .int($0) } ?? .null,
      "top_logprobs": .int(topAlternatives), "special": .bool(keepsSpecialTokens), "forced": list(forcedTokens),
    ])
  }

  /// - Parameter number: that the sequence must have.
  init(_ fields: JournalFields, number: Int) throws(JournalError) {
    try fields.refuseOthers([
      "sequence", "prompt", "expanded", "max_tokens", "temperature", "top_k", "top_p", "min_p", "repetition_penalty",
      "seed", "stop", "ignore_eos", "reasoning_budget", "top_logprobs", "special", "forced", "crc",
    ])
    _ = try fields.integer("sequence", number...number)
    let prompt = try fields.integers("prompt", ids)
    guard !prompt.isEmpty else { throw fields.wrong("prompt", "at least one token", "none") }
    _ = try fields.value("expanded", "[[0,\(prompt.count)]], the positions of the prompt") { value -> Void? in
      value == .array([list([0, prompt.count])]) ? () : nil
    }
    var sampling = SamplingOptions(
      temperature: try fields.number("temperature"), topK: try fields.integer("top_k", 0...Int.max),
      topP: try fields.number("top_p"), minP: try fields.number("min_p"),
      repetitionPenalty: try fields.number("repetition_penalty"))
    sampling.seed = try fields.value("seed", "an integer from 0 to \(UInt64.max), as text") {
      $0.string.flatMap { UInt64($0) }
    }
    self.init(
      prompt: prompt, maxTokens: try fields.integerOrNull("max_tokens", 0...Int.max) ?? .max, sampling: sampling,
      stopStrings: try fields.texts("stop"), ignoresEndOfSequence: try fields.flag("ignore_eos"),
      reasoningBudget: try fields.integerOrNull("reasoning_budget", 0...Int.max),
      topAlternatives: try fields.integer("top_logprobs", 0...Int(Int32.max)),
      keepsSpecialTokens: try fields.flag("special"), forcedTokens: try fields.integers("forced", ids))
  }
}

extension GenerationEvent {
  /// Nil for what a journal does not keep: progress, and that somebody stopped it.
  var json: JSONValue? {
    switch self {
    case .prefill, .replay, .finished(_, .cancelled, _): nil
    case .token(let token): token.json
    case .finished(let sequence, let reason, let text):
      .members(["sequence": .int(sequence), "finish": .text(reason.rawValue), "text": .text(text)])
    }
  }

  init(_ fields: JournalFields) throws(JournalError) {
    guard fields.has("finish") else {
      self = .token(try GeneratedToken(fields))
      return
    }
    try fields.refuseOthers(["sequence", "finish", "text"])
    let reason = try fields.value("finish", "end, stop, length or context") { value in
      value.string.flatMap { FinishReason(rawValue: $0) }.flatMap { $0 == .cancelled ? nil : $0 }
    }
    self = .finished(
      sequence: try fields.integer("sequence", 0...Int(Int32.max)), reason, text: try fields.text("text"))
  }
}

extension GeneratedToken {
  fileprivate var json: JSONValue {
    // JSON has no words for the logarithm of 0.
    func number(_ value: Double) -> JSONValue { value.isFinite ? .double(value) : .null }
    var members: [JSONObject.Member] = [
      ("sequence", .int(sequence)), ("position", .int(position)), ("id", .int(id)), ("text", .text(text)),
      ("part", .text(part.rawValue)), ("logprob", number(logProbability)),
    ]
    if isForced { members.append(("forced", .bool(true))) }
    if !alternatives.isEmpty {
      members.append(("top", .array(alternatives.map { .array([.int($0.id), number($0.logProbability)]) })))
    }
    return .object(JSONObject(members) ?? JSONObject())
  }

  fileprivate init(_ fields: JournalFields) throws(JournalError) {
    try fields.refuseOthers(["sequence", "position", "id", "text", "part", "logprob", "forced", "top"])
    func logarithm(_ value: JSONValue) -> Double? {
      value.isNull ? -.infinity : value.double.flatMap { $0.isFinite ? $0 : nil }
    }
    func alternatives(_ value: JSONValue) -> [Alternative]? {
      all(value.array) { pair in
        guard let pair = pair.array, pair.count == 2, let id = pair[0].int, ids.contains(id),
          let logarithm = logarithm(pair[1])
        else { return nil }
        return Alternative(id: id, logProbability: logarithm)
      }
    }
    self.init(
      sequence: try fields.integer("sequence", 0...Int(Int32.max)), position: try fields.integer("position", ids),
      id: try fields.integer("id", ids), text: try fields.text("text"),
      part: try fields.value("part", "reasoning or answer") { $0.string.flatMap { TextPart(rawValue: $0) } },
      logProbability: try fields.value("logprob", "a number or null", logarithm),
      alternatives: fields.has("top") ? try fields.value("top", "pairs of an id and a number", alternatives) : [],
      isForced: fields.has("forced") ? try fields.flag("forced") : false)
  }
}
