import Foundation
import Inference

/// How far a run is that goes on: `--record` of `generate` and `simulate` writes such a line every two seconds, each in the
/// place of the one before, and in the end the run's record in the place of the last. Where another run has appended
/// something meanwhile, a line stays. It has the keys `prompt` and `finish` (`running`) too, by which readers that know no
/// progress pass over it.
///
/// | key of `progress` | meaning |
/// |---|---|
/// | `schema` | 1 |
/// | `id` | of the run; its record has the same one |
/// | `date` | ISO 8601, UTC |
/// | `flotilla`, `model` | version; the folder's name |
/// | `phantom` | true where the weights were no model's; absent where they were |
/// | `phase` | `prompt` while prompts are read, else `decode` |
/// | `prompt_tokens`, `prompt_total`, `generated_tokens` | read so far; of all prompts; drawn so far |
/// | `tokens_per_second` | of the phase so far; absent without tokens or time |
/// | `elapsed_seconds` | since the first step began |
public struct RunProgress: Codable, Sendable, Equatable {
  public static let currentSchema = 1

  public enum Phase: String, Codable, Sendable { case prompt, decode }

  public var schema = RunProgress.currentSchema
  public var id: String
  public var date: String
  public var flotilla: String
  public var model: String
  public var phantom: Bool?
  public var phase: Phase
  public var promptTokens: Int
  public var promptTotal: Int
  public var generatedTokens: Int
  public var tokensPerSecond: Double?
  public var elapsedSeconds: Double

  enum CodingKeys: String, CodingKey {
    case schema, id, date, flotilla, model, phantom, phase
    case promptTokens = "prompt_tokens"
    case promptTotal = "prompt_total"
    case generatedTokens = "generated_tokens"
    case tokensPerSecond = "tokens_per_second"
    case elapsedSeconds = "elapsed_seconds"
  }

  /// - Parameters:
  ///   - promptTotal: tokens of all prompts.
  ///   - elapsed: seconds since the first step began.
  public init(
    id: String, flotilla: String, model: String, isPhantom: Bool, _ engine: EngineStatistics, promptTotal: Int,
    elapsed: Double, date: Date = Date()
  ) {
    (self.id, self.flotilla, self.model, self.promptTotal) = (id, flotilla, model, promptTotal)
    self.date = date.formatted(.iso8601)
    phantom = isPhantom ? true : nil
    phase = engine.promptTokens < promptTotal ? .prompt : .decode
    (promptTokens, generatedTokens) = (engine.promptTokens, engine.generatedTokens)
    tokensPerSecond =
      phase == .prompt
      ? Format.perSecond(engine.promptTokens + engine.replayedTokens, engine.prefillSeconds)
      : Format.perSecond(engine.tokensInDecodeSteps, engine.decodeSeconds)
    elapsedSeconds = elapsed
  }

  private struct Line: Encodable {
    let prompt: Int
    let finish = "running"
    let progress: RunProgress
  }

  /// The line, without a line break.
  public func jsonLine() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return Array(try encoder.encode(Line(prompt: promptTokens, progress: self)))
  }

  /// After so many seconds without a word a run may be dead.
  private static let longSilence: TimeInterval = 15

  /// "Abacus runs: 120 tokens generated, 34.3 tokens/s, 12.3 s so far", or that nobody has heard of it for some time.
  public func text(now: Date = Date()) -> String {
    let mark = phantom == true ? " PHANTOM" : ""
    let done =
      phase == .prompt
      ? "\(Format.exact(promptTokens)) of \(Format.exact(promptTotal)) tokens of the prompt read"
      : "\(Format.exact(generatedTokens)) token\(generatedTokens == 1 ? "" : "s") generated"
    let speed = "\(done), \(Format.rate(tokensPerSecond))\(mark), \(Format.seconds(elapsedSeconds))\(mark) so far"
    let silence = (try? Date(date, strategy: .iso8601)).map { now.timeIntervalSince($0) } ?? .infinity
    let name = printable(model, limit: 100)
    guard silence > Self.longSilence else { return "\(name) runs: \(speed)" }
    return "\(name) has not ended, and was last heard of at \(printable(date, limit: 40)): \(speed)"
  }
}

/// Tells how far a run is, in the file that its record will be in. On the coordinator's rank.
public final class ProgressRecorder {
  /// Of the run.
  public let id = UUID().uuidString.lowercased()
  private let file: RecordFile
  private let version: String
  private let model: String
  private let isPhantom: Bool
  private let interval: Double
  private var next: Double

  /// - Parameters:
  ///   - version: of flotilla.
  ///   - model: name of its folder.
  ///   - interval: seconds between two lines; the first comes after as many.
  ///   - now: by `MonotonicClock`.
  public init(_ file: RecordFile, version: String, model: String, isPhantom: Bool, interval: Double = 2, now: Double) {
    (self.file, self.version, self.model, self.isPhantom) = (file, version, model, isPhantom)
    (self.interval, next) = (interval, now + interval)
  }

  /// Writes a line where it is time for one. A disk that is full shows when the record is written.
  public func report(_ engine: EngineStatistics, promptTotal: Int, now: Double) {
    guard now >= next else { return }
    next = now + interval
    let progress = RunProgress(
      id: id, flotilla: version, model: model, isPhantom: isPhantom, engine, promptTotal: promptTotal,
      elapsed: engine.started.map { now - $0 } ?? 0)
    try? file.append(progress)
  }
}
