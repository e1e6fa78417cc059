import Kernels

/// How latents lie in the cache. Rotary keys are f32 in every format: their error would grow with the position.
public enum CacheFormat: String, Sendable, Codable, CaseIterable {
  case f32
  /// Half the bytes, 11 bits of mantissa. A latent is RMS-normed, so it stays far below f16's 65504.
  case f16

  /// f16 where attention's own weights are block-quantised, f32 where they lose nothing.
  public static func automatic(for weights: WeightFormats) -> CacheFormat {
    weights.hasBlocksInAttention ? .f16 : .f32
  }

  /// Bytes of a latent of `rank` numbers; whole words, so that the f32 part behind it is aligned.
  func bytesPerLatent(rank: Int) -> Int {
    switch self {
    case .f32: 4 * rank
    case .f16: (2 * rank + 3) / 4 * 4
    }
  }
}
