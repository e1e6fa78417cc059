import DeepSeek
import ExpertParallel
import Foundation
import Inference
import Kernels

/// One run as one line of JSON: `--record FILE` appends it. Keys are stable; `schema` grows when one changes its
/// meaning. All durations in seconds, all sizes in bytes; a value that cannot be told is null.
///
/// | key | meaning |
/// |---|---|
/// | `schema` | 1 |
/// | `date` | end of the run, ISO 8601, UTC |
/// | `flotilla`, `host`, `command` | version; host of the coordinator; the command line, a string per argument |
/// | `model.name`, `.checkpoint` | the folder's name; SHA-256 of configuration and headers |
/// | `model.parameters` | weights of the whole model, without multi-token prediction |
/// | `model.expert_layers`, `.experts_per_layer`, `.experts_per_token` | |
/// | `setup.ranks`, `.threads` | number of ranks; compute threads of each |
/// | `setup.format`, `.cache_format`, `.instruction_set` | run format of the weights; of cached latents; of the coordinator |
/// | `setup.conversions` | of a GGUF file: what does not run as it is stored, a line for each way; absent where all does |
/// | `setup.context_size`, `.prefill_chunk`, `.max_sequences` | limits of the engine |
/// | `load_seconds` | from the start of loading to ready |
/// | `tokens.prompt`, `.generated`, `.computed` | read; drawn; through the layers |
/// | `tokens.in_prefill_steps`, `.in_decode_steps` | drawn in the two kinds of steps |
/// | `steps` | passes through the model |
/// | `seconds.prefill`, `.decode` | in steps that read prompt tokens; in steps that only generated |
/// | `seconds.first_token` | to the first token, for each sequence |
/// | `rates.prefill_tokens_per_second`, `.decode_tokens_per_second` | null without tokens or time |
/// | `phases.*` | seconds of the coordinator: `embedding`, `attention`, `dense_feed_forward`, `gate`, `dispatch`, `expert_compute`, `shared_expert`, `combine`, `wait`, `head`, `sampling` |
/// | `ranks[].rank`, `.host`, `.roles` | `coordinator`, `router`, `experts` |
/// | `ranks[].experts_held`, `.experts_activated`, `.expert_pairs_activated` | of a layer; distinct ids that ran; distinct (layer, expert) that ran |
/// | `ranks[].expert_rows`, `.parameters_applied` | rows through experts; weights that met a token |
/// | `ranks[].busy_seconds`, `.busy_share` | at work; of the seconds in steps |
/// | `ranks[].wait_seconds`, `.expert_seconds`, `.gate_seconds`, `.dispatch_seconds`, `.combine_seconds` | |
/// | `ranks[].bytes_sent`, `.bytes_received`, `.messages_sent`, `.messages_received` | to and from other ranks, without heartbeats |
/// | `ranks[].resident_bytes` | memory, mapped files included |
/// | `expert_load_imbalance` | largest number of expert rows of a host over the mean; 1 is perfect |
/// | `parameters_per_token` | counted from what ran: `ranks[].parameters_applied` over `tokens.computed` |
public struct RunRecord: Codable, Sendable, Equatable {
  public static let currentSchema = 1

  public var schema = RunRecord.currentSchema
  public var date: String
  public var flotilla: String
  public var host: String
  public var command: [String]
  public var model: Model
  public var setup: Setup
  public var loadSeconds: Double
  public var tokens: Tokens
  public var steps: Int
  public var seconds: Seconds
  public var rates: Rates
  /// By the phases' names; every phase is there.
  public var phases: [String: Double]
  public var ranks: [Rank]
  public var expertLoadImbalance: Double
  public var parametersPerToken: Double?

  enum CodingKeys: String, CodingKey {
    case schema, date, flotilla, host, command, model, setup, tokens, steps, seconds, rates, phases, ranks
    case loadSeconds = "load_seconds"
    case expertLoadImbalance = "expert_load_imbalance"
    case parametersPerToken = "parameters_per_token"
  }

  public struct Model: Codable, Sendable, Equatable {
    public var name: String
    public var checkpoint: String
    public var parameters: Int
    public var expertLayers: Int
    public var expertsPerLayer: Int
    public var expertsPerToken: Int

    enum CodingKeys: String, CodingKey {
      case name, checkpoint, parameters
      case expertLayers = "expert_layers"
      case expertsPerLayer = "experts_per_layer"
      case expertsPerToken = "experts_per_token"
    }
  }

  public struct Setup: Codable, Sendable, Equatable {
    public var ranks: Int
    public var threads: [Int]
    public var format: String
    public var cacheFormat: String
    public var instructionSet: String
    public var contextSize: Int
    public var prefillChunk: Int
    public var maxSequences: Int
    public var conversions: [String]?

    enum CodingKeys: String, CodingKey {
      case ranks, threads, format, conversions
      case cacheFormat = "cache_format"
      case instructionSet = "instruction_set"
      case contextSize = "context_size"
      case prefillChunk = "prefill_chunk"
      case maxSequences = "max_sequences"
    }
  }

  public struct Tokens: Codable, Sendable, Equatable {
    public var prompt: Int
    public var generated: Int
    public var computed: Int
    public var inPrefillSteps: Int
    public var inDecodeSteps: Int

    enum CodingKeys: String, CodingKey {
      case prompt, generated, computed
      case inPrefillSteps = "in_prefill_steps"
      case inDecodeSteps = "in_decode_steps"
    }
  }

  public struct Seconds: Codable, Sendable, Equatable {
    public var prefill: Double
    public var decode: Double
    public var firstToken: [Double]

    enum CodingKeys: String, CodingKey {
      case prefill, decode
      case firstToken = "first_token"
    }
  }

  public struct Rates: Codable, Sendable, Equatable {
    public var prefill: Double?
    public var decode: Double?

    enum CodingKeys: String, CodingKey {
      case prefill = "prefill_tokens_per_second"
      case decode = "decode_tokens_per_second"
    }

    public func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(prefill, forKey: .prefill)
      try container.encode(decode, forKey: .decode)
    }
  }

  public struct Rank: Codable, Sendable, Equatable {
    public var rank: Int
    public var host: String
    public var roles: [String]
    public var expertsHeld: Int
    public var expertsActivated: Int
    public var expertPairsActivated: Int
    public var expertRows: Int
    public var parametersApplied: Int
    public var busySeconds: Double
    public var busyShare: Double?
    public var waitSeconds: Double
    public var expertSeconds: Double
    public var gateSeconds: Double
    public var dispatchSeconds: Double
    public var combineSeconds: Double
    public var bytesSent: Int
    public var bytesReceived: Int
    public var messagesSent: Int
    public var messagesReceived: Int
    public var residentBytes: Int

    enum CodingKeys: String, CodingKey {
      case rank, host, roles
      case expertsHeld = "experts_held"
      case expertsActivated = "experts_activated"
      case expertPairsActivated = "expert_pairs_activated"
      case expertRows = "expert_rows"
      case parametersApplied = "parameters_applied"
      case busySeconds = "busy_seconds"
      case busyShare = "busy_share"
      case waitSeconds = "wait_seconds"
      case expertSeconds = "expert_seconds"
      case gateSeconds = "gate_seconds"
      case dispatchSeconds = "dispatch_seconds"
      case combineSeconds = "combine_seconds"
      case bytesSent = "bytes_sent"
      case bytesReceived = "bytes_received"
      case messagesSent = "messages_sent"
      case messagesReceived = "messages_received"
      case residentBytes = "resident_bytes"
    }
  }

  /// The line, without a line break.
  public func jsonLine() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return Array(try encoder.encode(self))
  }
}

extension Phase {
  /// The phase's key in a record.
  public var key: String {
    switch self {
    case .embedding: "embedding"
    case .attention: "attention"
    case .denseFeedForward: "dense_feed_forward"
    case .gate: "gate"
    case .dispatch: "dispatch"
    case .expertCompute: "expert_compute"
    case .sharedExpert: "shared_expert"
    case .combine: "combine"
    case .wait: "wait"
    case .head: "head"
    case .sampling: "sampling"
    }
  }
}
