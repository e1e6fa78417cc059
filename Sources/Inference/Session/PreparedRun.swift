import Checkpoint
import DeepSeek
import ExpertParallel
import Kernels

extension WeightFormats {
  /// The run formats of a checkpoint: as `--quant` asks, or as it was prepared.
  ///
  /// - Throws: `WeightFormatsError`, or ``RequestError`` where a prepared model runs in others only.
  public init(quant: String, for checkpoint: Checkpoint) throws {
    guard let prepared = checkpoint.prepared?.manifest.formats else {
      self = try WeightFormats(parsing: quant, natural: checkpoint.naturalFormat)
      follow(checkpoint)
      guard hasFP8, !checkpoint.hasFP8 else { return }
      throw RequestError(
        "--quant: expected a format of its own for a checkpoint without FP8 weights in blocks of 128 x 128, "
          + "found \(quant). Hint: q8_0 takes as much memory, bf16 loses nothing")
    }
    do {
      self = try WeightFormats(parsing: prepared, natural: .f32)
    } catch {
      throw RequestError("\(PreparedManifest.fileName): formats: \(error). Hint: prepare the model again")
    }
    follow(checkpoint)
    guard quant != "auto", try WeightFormats(parsing: quant, natural: .f32).spelling != spelling else { return }
    throw RequestError(
      "--quant: expected auto or \(prepared), in which the model was prepared, found \(quant). "
        + "Hint: prepare it in that format too, or run the checkpoint that it was made from")
  }
}

/// What is done with a prepared model's files before a run says that it is ready.
public struct PreparedChecks: OptionSet, Sendable {
  public let rawValue: Int
  public init(rawValue: Int) { self.rawValue = rawValue }

  /// Compare hashes.
  public static let verify = PreparedChecks(rawValue: 1)
  /// Bring all pages into memory.
  public static let populate = PreparedChecks(rawValue: 2)
  /// And keep them there.
  public static let lock = PreparedChecks(rawValue: 4)
}

extension PreparedStore {
  /// - Parameter progress: bytes so far and in all, of each of the checks.
  func run(_ checks: PreparedChecks, _ bundles: [BundleName], _ pool: ThreadPool, _ progress: ByteProgress) throws {
    if checks.contains(.populate) { try populate(bundles, pool: pool, progress: progress) }
    if checks.contains(.lock) { try lock(bundles, pool: pool, progress: progress) }
    if checks.contains(.verify) { try verify(bundles, pool: pool, progress: progress) }
  }
}
