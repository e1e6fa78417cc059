/// The metadata keys of `deepseek2` files, as llama.cpp's converter writes them and llama.cpp reads them.
enum GGUFKeys {
  static let architecture = "general.architecture"
  static let fileType = "general.file_type"
  static let deepseek = "deepseek2"
  /// Of the parts of a split model: how many, which (from 0), and the number of tensors in all.
  static let splitCount = "split.count"
  static let splitNumber = "split.no"
  static let splitTensors = "split.tensors.count"

  static let vocabulary = own("vocab_size")
  static let contextLength = own("context_length")
  static let hidden = own("embedding_length")
  static let blocks = own("block_count")
  static let mtpLayers = own("nextn_predict_layers")
  static let denseLayers = own("leading_dense_block_count")
  static let denseIntermediate = own("feed_forward_length")
  static let expertIntermediate = own("expert_feed_forward_length")
  static let heads = own("attention.head_count")
  static let keyHeads = own("attention.head_count_kv")
  static let normEpsilon = own("attention.layer_norm_rms_epsilon")
  static let queryRank = own("attention.q_lora_rank")
  static let latentRank = own("attention.kv_lora_rank")
  /// Of the absorbed form, which llama.cpp runs as attention with one key head: latent rank + rotary dimension.
  static let keyLength = own("attention.key_length")
  static let valueLength = own("attention.value_length")
  /// Of one head of the expanded form.
  static let keyLengthPerHead = own("attention.key_length_mla")
  static let valueLengthPerHead = own("attention.value_length_mla")
  static let ropeDimension = own("rope.dimension_count")
  static let ropeTheta = own("rope.freq_base")
  static let ropeScaling = own("rope.scaling.type")
  static let ropeFactor = own("rope.scaling.factor")
  static let ropeOriginalPositions = own("rope.scaling.original_context_length")
  static let ropeAttentionFactor = own("rope.scaling.attn_factor")
  static let yarnExtensionFactor = own("rope.scaling.yarn_ext_factor")
  static let yarnAttentionFactor = own("rope.scaling.yarn_attn_factor")
  static let yarnBetaFast = own("rope.scaling.yarn_beta_fast")
  static let yarnBetaSlow = own("rope.scaling.yarn_beta_slow")
  /// A tenth of `mscale_all_dim`.
  static let yarnLogMultiplier = own("rope.scaling.yarn_log_multiplier")
  static let experts = own("expert_count")
  static let expertsPerToken = own("expert_used_count")
  static let sharedExperts = own("expert_shared_count")
  static let groups = own("expert_group_count")
  static let groupsPerToken = own("expert_group_used_count")
  static let routedScale = own("expert_weights_scale")
  static let normalizesWeights = own("expert_weights_norm")
  /// 1: softmax; 2: sigmoid.
  static let scoring = own("expert_gating_func")

  static let beginOfSentence = "tokenizer.ggml.bos_token_id"
  static let endOfSentence = "tokenizer.ggml.eos_token_id"
  /// Further ids that end a generation.
  static let endOfTurn = "tokenizer.ggml.eot_token_id"
  static let endOfMessage = "tokenizer.ggml.eom_token_id"

  static let temperature = "general.sampling.temp"
  static let topP = "general.sampling.top_p"
  static let topK = "general.sampling.top_k"
  static let minP = "general.sampling.min_p"
  static let repetitionPenalty = "general.sampling.penalty_repeat"

  private static func own(_ name: String) -> String { "\(deepseek).\(name)" }
}
