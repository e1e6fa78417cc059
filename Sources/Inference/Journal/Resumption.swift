import Checkpoint
import DeepSeek
import Foundation

/// What all ranks must know of a journal, which only the coordinator can read.
public struct Resumption: Codable, Sendable, Equatable {
  /// Nothing is left to do.
  public let isComplete: Bool
  /// Nil: the built-in model.
  let model: String?
  let quant: String
  let requantizes: Bool
  let cacheFormat: String
  let contextSize: Int
  let parallel: Int

  /// - Parameters:
  ///   - model: where the model lies now; nil: where it lay.
  ///   - contextSize: asked for; nil: as the journal needs it.
  ///   - parallel: most sequences at once; nil: as before.
  /// - Throws: ``JournalError``, ``RequestError``.
  public init(_ journal: Journal, path: String, model: String?, contextSize: Int?, parallel: Int?) throws {
    let header = journal.header
    isComplete = journal.isComplete
    quant = header.quant
    requantizes = header.requantizes
    cacheFormat = header.cacheFormat.rawValue
    self.model = model ?? header.model.path
    self.parallel = min(parallel ?? header.parallel, max(1, journal.sequences.count { $0.finish == nil }))
    let needed = journal.contextSize
    self.contextSize = contextSize ?? needed
    guard (needed...header.contextSize).contains(self.contextSize) else {
      throw RequestError(
        "--ctx-size: expected \(needed) to \(header.contextSize), which change no token of \(path), found "
          + "\(self.contextSize). Hint: leave it out")
    }
    if !isComplete, model == nil, let place = header.model.path, !FileManager.default.fileExists(atPath: place) {
      throw JournalError(
        path: path, line: 1, subject: "model", expected: "\(header.model.name) at \(place), where it was",
        found: "nothing", hint: "Say where it lies now: generate --resume \(path) MODEL.")
    }
  }

  /// Makes a run of it. Everything else is free: ranks, placement, threads, chunks.
  public func apply(to options: inout RunOptions) throws {
    options.model = try model.map { URL(filePath: $0) } ?? BuiltInModel.folder()
    options.formats = quant
    options.requantizes = requantizes
    options.cacheFormat = CacheFormat(rawValue: cacheFormat)
    options.contextSize = contextSize
    options.parallel = parallel
  }
}

extension JournalHeader {
  /// - Parameter path: of the model as it was named; nil: the built-in one.
  public init(_ session: RunSession, path: String?, sequences: Int) {
    self.init(
      version: session.options.version,
      model: Model(
        name: session.options.model.lastPathComponent,
        path: path.map { URL(filePath: $0).standardizedFileURL.path(percentEncoded: false) },
        fingerprint: session.checkpoint.fingerprint),
      quant: session.options.formats, requantizes: session.options.requantizes, formats: session.formats.description,
      cacheFormat: session.cacheFormat, contextSize: session.limits.contextSize,
      parallel: session.limits.maxSequences, endTokens: session.checkpoint.endTokens.sorted(), sequences: sequences)
  }

  /// - Throws: ``JournalError`` where a model in these formats would give other tokens.
  public func verify(_ checkpoint: Checkpoint, _ formats: WeightFormats, path: String) throws(JournalError) {
    func refuse(_ subject: String, _ expected: String, _ found: String, _ hint: String) -> JournalError {
      JournalError(path: path, line: 1, subject: subject, expected: expected, found: found, hint: hint)
    }
    guard checkpoint.fingerprint == model.fingerprint else {
      throw refuse(
        "fingerprint of the model", "\(model.fingerprint) (\(model.name))",
        "\(checkpoint.fingerprint) (\(checkpoint.location.lastPathComponent))",
        "Name the model with which the journal was begun; a prepared one and its source are two.")
    }
    guard formats.description == self.formats else {
      throw refuse("formats", self.formats, formats.description, "Another version of flotilla began the journal.")
    }
    let ends = checkpoint.endTokens.sorted()
    guard ends == endTokens else {
      throw refuse(
        "end_tokens", "\(endTokens)", "\(ends)", "Copy generation_config.json from where the journal was begun.")
    }
  }
}

extension Checkpoint {
  /// Ids that end a sequence: what is said of generation goes before the configuration.
  var endTokens: Set<Int> { Set(generationDefaults.eosTokens ?? configuration.eosTokens) }
}

extension Engine {
  /// Takes what a journal has left to generate, under the same numbers.
  ///
  /// - Throws: ``RequestError`` where other tokens would come of it.
  public func add(_ journal: Journal) throws {
    for (number, sequence) in journal.sequences.enumerated() where sequence.finish == nil {
      try add(sequence.remaining, number: number)
    }
  }
}
