/// The model's answer is NaN or infinite: no token can be drawn from it, no text be scored.
public struct LogitsNotFinite: Error, CustomStringConvertible {
  /// The request's number; of perplexity the window's.
  public let sequence: Int
  /// Of the token whose logits these are.
  public let position: Int

  public var description: String {
    "logits of sequence \(sequence) at position \(position): expected finite numbers, found NaN or infinity. Hint: "
      + "the checkpoint holds such weights, or numbers that the run format or the cache format cannot hold; compare "
      + "--quant f32 --cache-type f32"
  }
}
