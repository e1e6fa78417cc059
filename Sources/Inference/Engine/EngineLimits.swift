import Checkpoint
import DeepSeek
import Kernels

/// What an engine was made for; buffers have these sizes.
public struct EngineLimits: Sendable, Equatable {
  /// Most tokens of a sequence.
  public var contextSize: Int
  /// Most prompt tokens of a step.
  public var prefillChunk: Int
  /// Most sequences of a step; more wait.
  public var maxSequences: Int

  public init(contextSize: Int, prefillChunk: Int = 512, maxSequences: Int = 16) {
    self.contextSize = contextSize
    self.prefillChunk = prefillChunk
    self.maxSequences = maxSequences
  }

  /// Generated positions that attention takes at a time: one of each sequence, and enough that those of an earlier
  /// run are read again at speed.
  static func absorbedRows(sequences: Int) -> Int { max(sequences, 32) }

  /// Rows whose logits are computed in one go: one of each sequence, and some of a text that is scored.
  static func logitsRows(sequences: Int) -> Int { max(sequences, 16) }

  /// Memory for the steps of such an engine.
  public func workspace(_ configuration: ModelConfiguration, cacheFormat: CacheFormat, compute: Compute) -> Workspace {
    Workspace(
      configuration, maxRows: prefillChunk + maxSequences,
      maxAbsorbedRows: Self.absorbedRows(sequences: maxSequences), maxLogits: Self.logitsRows(sequences: maxSequences),
      cacheFormat: cacheFormat, compute: compute)
  }
}
