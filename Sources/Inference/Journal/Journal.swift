import DeepSeek

/// What a generation needs to go on elsewhere with the very same tokens, as a journal tells it.
public struct Journal: Sendable {
  public let header: JournalHeader
  /// By number.
  public internal(set) var sequences: [Sequence] = []
  /// Tokens and ends of sequences, in the order in which they came.
  public internal(set) var events: [GenerationEvent] = []
  /// Bytes of a line behind the last whole one, which was being written when its writer died.
  public internal(set) var tornBytes = 0

  public struct Sequence: Sendable {
    /// Without a continuation.
    public let request: GenerationRequest
    public internal(set) var tokens: [GeneratedToken] = []
    /// Nil: it goes on.
    public internal(set) var finish: FinishReason?

    /// The request for what is left to generate.
    public var remaining: GenerationRequest {
      var remaining = request
      remaining.continuation = tokens
      return remaining
    }
  }

  init(header: JournalHeader) { self.header = header }

  /// Whether nothing is left to generate.
  public var isComplete: Bool { sequences.allSatisfy { $0.finish != nil } }

  public var generatedTokens: Int { sequences.reduce(0) { $0 + $1.tokens.count } }

  /// The shortest context in which the rest comes out as it would have: where a sequence ends because the context is
  /// full, that is the context of the first run.
  public var contextSize: Int {
    sequences.reduce(1) { most, sequence in
      let (need, overflow) = sequence.request.prompt.count.addingReportingOverflow(sequence.request.maxTokens)
      return max(most, overflow ? header.contextSize : min(need, header.contextSize))
    }
  }
}

/// What all sequences of a journal have in common.
public struct JournalHeader: Sendable, Equatable {
  /// Number of the format; another one too where the arithmetic changes, since a journal promises the very same tokens.
  public static let format = 2

  /// Of flotilla.
  public var version: String
  public var model: Model
  /// As `--quant` was given.
  public var quant: String
  public var requantizes: Bool
  /// Run formats of the weights that came of it.
  public var formats: String
  public var cacheFormat: CacheFormat
  /// Most tokens of a sequence.
  public var contextSize: Int
  /// Most sequences at once. Bears on the order of the events only.
  public var parallel: Int
  /// Ids that end a sequence, ascending.
  public var endTokens: [Int]
  /// How many sequences there are.
  public var sequences: Int

  public struct Model: Sendable, Equatable {
    public var name: String
    /// Absolute; nil: the built-in model.
    public var path: String?
    /// Of the checkpoint.
    public var fingerprint: String

    public init(name: String, path: String?, fingerprint: String) {
      self.name = name
      self.path = path
      self.fingerprint = fingerprint
    }
  }

  public init(
    version: String, model: Model, quant: String, requantizes: Bool, formats: String, cacheFormat: CacheFormat,
    contextSize: Int, parallel: Int, endTokens: [Int], sequences: Int
  ) {
    self.version = version
    self.model = model
    self.quant = quant
    self.requantizes = requantizes
    self.formats = formats
    self.cacheFormat = cacheFormat
    self.contextSize = contextSize
    self.parallel = parallel
    self.endTokens = endTokens
    self.sequences = sequences
  }
}
