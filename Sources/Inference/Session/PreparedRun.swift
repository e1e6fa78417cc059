import Checkpoint
import DeepSeek
import ExpertParallel
import Kernels

extension WeightFormats {
  /// The run formats of a checkpoint: as `--quant` asks, or as it was prepared.
  ///
  /// - Parameter requantizes: types of a GGUF file that no run format holds run in the nearest one.
  /// - Throws: `WeightFormatsError`, or ``RequestError`` where the checkpoint does not run so.
  public init(quant: String, requantizes: Bool = false, for checkpoint: Checkpoint) throws {
    if let prepared = checkpoint.prepared?.manifest.formats {
      self = try Self.prepared(prepared, quant: quant, checkpoint)
      return
    }
    self = try WeightFormats(parsing: quant, natural: checkpoint.naturalFormat)
    follow(checkpoint)
    if saysStored, !followsFile {
      throw RequestError(
        "--quant: expected stored for a GGUF model with blocks only, found another checkpoint. Hint: leave it out")
    }
    if hasFP8, !checkpoint.hasFP8 {
      throw RequestError(
        "--quant: expected a format of its own for a checkpoint without FP8 weights in blocks of 128 x 128, "
          + "found \(quant). Hint: q8_0 takes as much memory, bf16 loses nothing")
    }
    if !requantizes, let error = RequestError(requantizing: inexact, checkpoint) { throw error }
  }

  private static func prepared(_ prepared: String, quant: String, _ checkpoint: Checkpoint) throws -> WeightFormats {
    var formats: WeightFormats
    do {
      formats = try WeightFormats(parsing: prepared, natural: .f32)
    } catch {
      throw RequestError("\(PreparedManifest.fileName): formats: \(error). Hint: prepare the model again")
    }
    formats.follow(checkpoint)
    let isAsPrepared =
      try quant == "auto" || WeightFormats(parsing: quant, natural: .f32).spelling == formats.spelling
    guard isAsPrepared else {
      throw RequestError(
        "--quant: expected auto or \(prepared), in which the model was prepared, found \(quant). "
          + "Hint: prepare it in that format too, or run the checkpoint that it was made from")
    }
    guard formats.followsFile || !formats.saysStored else {
      throw RequestError(
        "\(PreparedManifest.fileName): formats: expected the types of the source in metadata.gguf for \"stored\", "
          + "found none. Hint: prepare the model again")
    }
    return formats
  }
}

extension RequestError {
  /// What a person must decide where types have no kernel of the same numbers; nil where there are none.
  public init?(requantizing inexact: [(stored: ElementType, run: WeightFormat)], _ checkpoint: Checkpoint) {
    guard !inexact.isEmpty else { return nil }
    let types = inexact.map(\.stored.rawValue).joined(separator: ", ")
    let ways = inexact.map { "\($0.stored.rawValue) as \($0.run.rawValue)" }.joined(separator: ", ")
    self.init(
      "\(checkpoint.location.lastPathComponent): quantisation: expected types that a run format holds "
        + "(F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q8_0, Q4_K, Q6_K), found \(types). "
        + "Hint: --requantize runs \(ways); or name a format with --quant")
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

  /// As people give them: "--verify, --mlock".
  var options: String {
    let names: [(PreparedChecks, String)] = [(.verify, "--verify"), (.populate, "--populate"), (.lock, "--mlock")]
    return names.filter { contains($0.0) }.map(\.1).joined(separator: ", ")
  }
}

extension PreparedStore {
  /// - Parameter progress: bytes so far and in all, of each of the checks.
  func run(_ checks: PreparedChecks, _ bundles: [BundleName], _ pool: ThreadPool, _ progress: ByteProgress) throws {
    if checks.contains(.populate) { try populate(bundles, pool: pool, progress: progress) }
    if checks.contains(.lock) { try lock(bundles, pool: pool, progress: progress) }
    if checks.contains(.verify) { try verify(bundles, pool: pool, progress: progress) }
  }
}
