/// The official tensor names of the DeepSeek-V2 / V3 family, all in one place.
public enum ParameterNames {
  /// The three matrices of one SwiGLU feed-forward part.
  public struct FeedForward: Sendable, Equatable {
    /// `[intermediate, hidden]`
    public let gate: String
    /// `[intermediate, hidden]`
    public let up: String
    /// `[hidden, intermediate]`
    public let down: String

    init(_ prefix: String) {
      gate = prefix + ".gate_proj.weight"
      up = prefix + ".up_proj.weight"
      down = prefix + ".down_proj.weight"
    }
  }

  /// `[vocabulary, hidden]`
  public static let embedding = "model.embed_tokens.weight"
  /// `[hidden]`
  public static let finalNorm = "model.norm.weight"
  /// `[vocabulary, hidden]`; may be absent where the embedding is the head.
  public static let head = "lm_head.weight"

  static func layer(_ layer: Int) -> String { "model.layers." + String(layer) }
  static func attention(_ layer: Int) -> String { "model.layers.\(layer).self_attn" }

  public static func inputNorm(_ layer: Int) -> String { self.layer(layer) + ".input_layernorm.weight" }
  public static func postAttentionNorm(_ layer: Int) -> String {
    self.layer(layer) + ".post_attention_layernorm.weight"
  }

  /// Plain queries, where there is no query rank, `[heads * headDimension, hidden]`.
  public static func query(_ layer: Int) -> String { attention(layer) + ".q_proj.weight" }
  /// `[queryRank, hidden]`
  public static func queryDown(_ layer: Int) -> String { attention(layer) + ".q_a_proj.weight" }
  /// `[queryRank]`
  public static func queryNorm(_ layer: Int) -> String { attention(layer) + ".q_a_layernorm.weight" }
  /// `[heads * headDimension, queryRank]`
  public static func queryUp(_ layer: Int) -> String { attention(layer) + ".q_b_proj.weight" }
  /// `[latentRank + ropeDimension, hidden]`
  public static func latentDown(_ layer: Int) -> String { attention(layer) + ".kv_a_proj_with_mqa.weight" }
  /// `[latentRank]`
  public static func latentNorm(_ layer: Int) -> String { attention(layer) + ".kv_a_layernorm.weight" }
  /// `[heads * (nopeDimension + valueDimension), latentRank]`
  public static func latentUp(_ layer: Int) -> String { attention(layer) + ".kv_b_proj.weight" }
  /// `[hidden, heads * valueDimension]`
  public static func attentionOutput(_ layer: Int) -> String { attention(layer) + ".o_proj.weight" }

  public static func dense(_ layer: Int) -> FeedForward { FeedForward(self.layer(layer) + ".mlp") }
  public static func shared(_ layer: Int) -> FeedForward {
    FeedForward(self.layer(layer) + ".mlp.shared_experts")
  }
  public static func expert(_ layer: Int, _ expert: Int) -> FeedForward {
    FeedForward(self.layer(layer) + ".mlp.experts." + String(expert))
  }

  /// `[experts, hidden]`
  public static func gate(_ layer: Int) -> String { self.layer(layer) + ".mlp.gate.weight" }
  /// `[experts]`
  public static func gateBias(_ layer: Int) -> String {
    self.layer(layer) + ".mlp.gate.e_score_correction_bias"
  }

  /// The scale grid of an FP8 weight. Despite its name it multiplies.
  public static func scale(of weight: String) -> String { weight + "_scale_inv" }

  /// The layer of `model.layers.N.…`, or nil.
  static func layerIndex(of name: String) -> Int? {
    let prefix = "model.layers."
    guard name.utf8.starts(with: prefix.utf8) else { return nil }
    let digits = name.utf8.dropFirst(prefix.utf8.count).prefix { $0 >= 48 && $0 <= 57 }
    guard digits.endIndex < name.utf8.endIndex, name.utf8[digits.endIndex] == 46 else { return nil }
    return Int(Substring(digits))
  }
}
