/// The tensors of a `deepseek2` file and what they hold, by the official names.
struct GGUFLayout {
  /// How a tensor's elements follow from the checkpoint's. Rows are of the tensor as it lies in the file.
  enum Content: Sendable, Equatable {
    /// The matrix of this name, or the vector as one row.
    case plain(String)
    /// This matrix of every expert of a layer, along the last dimension.
    case experts(layer: Int, Projection)
    /// Of `kv_b_proj` the keys' rows, transposed per head: `[heads, latentRank, nopeDimension]`.
    case keys(String)
    /// Of `kv_b_proj` the values' rows per head: `[heads, valueDimension, latentRank]`.
    case values(String)
  }

  enum Projection: Sendable { case gate, up, down }

  struct Tensor: Sendable, Equatable {
    let name: String
    /// ggml's order.
    let dimensions: [Int]
    let content: Content
    let part: ModelPart
    let layer: Int?

    /// Norms, gates and everything of one dimension: the models are sensitive to them, and they are small.
    var isPrecise: Bool { dimensions.count == 1 || part == .gates }
  }

  let configuration: ModelConfiguration
  /// Files of before 2025 hold `kv_b_proj` in one piece.
  var splitsLatentUp = true

  init(configuration: ModelConfiguration) { self.configuration = configuration }

  /// As the tensors of a file are laid out.
  ///
  /// - Parameter has: whether there is a tensor of a name.
  init(configuration: ModelConfiguration, has: (String) -> Bool) {
    self.init(configuration: configuration)
    splitsLatentUp = !has("blk.0.attn_kv_b.weight") || has("blk.0.attn_k_b.weight")
  }

  /// Official names of a projection of every expert, by expert.
  func expertNames(_ layer: Int, _ projection: Projection) -> [String] {
    (0..<configuration.routedExperts).map { expert in
      let names = ParameterNames.expert(layer, expert)
      return switch projection {
      case .gate: names.gate
      case .up: names.up
      case .down: names.down
      }
    }
  }

  /// In the order in which they are written.
  func tensors() -> [Tensor] {
    let model = configuration
    var list: [Tensor] = []
    func put(_ name: String, _ dimensions: [Int], _ content: Content, _ part: ModelPart, _ layer: Int? = nil) {
      list.append(Tensor(name: name, dimensions: dimensions, content: content, part: part, layer: layer))
    }
    put("token_embd.weight", [model.hidden, model.vocabularySize], .plain(ParameterNames.embedding), .embedding)
    for layer in 0..<model.layers { list += tensors(ofLayer: layer) }
    put("output_norm.weight", [model.hidden], .plain(ParameterNames.finalNorm), .norms)
    if !model.tiesEmbeddings {
      put("output.weight", [model.hidden, model.vocabularySize], .plain(ParameterNames.head), .head)
    }
    return list
  }

  private func tensors(ofLayer layer: Int) -> [Tensor] {
    let model = configuration
    var list: [Tensor] = []
    func put(_ name: String, _ dimensions: [Int], _ content: Content, _ part: ModelPart) {
      let name = "blk.\(layer).\(name)"
      list.append(Tensor(name: name, dimensions: dimensions, content: content, part: part, layer: layer))
    }
    func feedForward(_ suffix: String, _ names: ParameterNames.FeedForward, _ width: Int, _ part: ModelPart) {
      put("ffn_gate\(suffix).weight", [model.hidden, width], .plain(names.gate), part)
      put("ffn_up\(suffix).weight", [model.hidden, width], .plain(names.up), part)
      put("ffn_down\(suffix).weight", [width, model.hidden], .plain(names.down), part)
    }
    put("attn_norm.weight", [model.hidden], .plain(ParameterNames.inputNorm(layer)), .norms)
    attention(layer, put)
    put("ffn_norm.weight", [model.hidden], .plain(ParameterNames.postAttentionNorm(layer)), .norms)
    guard model.isMoE(layer: layer) else {
      feedForward("", ParameterNames.dense(layer), model.denseIntermediate, .denseFeedForward)
      return list
    }
    put("ffn_gate_inp.weight", [model.hidden, model.routedExperts], .plain(ParameterNames.gate(layer)), .gates)
    if model.selection == .biasedGroups {
      put("exp_probs_b.bias", [model.routedExperts], .plain(ParameterNames.gateBias(layer)), .gates)
    }
    if model.sharedExperts > 0 {
      feedForward(
        "_shexp", ParameterNames.shared(layer), model.sharedExperts * model.expertIntermediate, .sharedExperts)
    }
    let (width, count) = (model.expertIntermediate, model.routedExperts)
    put("ffn_gate_exps.weight", [model.hidden, width, count], .experts(layer: layer, .gate), .routedExperts)
    put("ffn_up_exps.weight", [model.hidden, width, count], .experts(layer: layer, .up), .routedExperts)
    put("ffn_down_exps.weight", [width, model.hidden, count], .experts(layer: layer, .down), .routedExperts)
    return list
  }

  private func attention(_ layer: Int, _ put: (String, [Int], Content, ModelPart) -> Void) {
    let model = configuration
    let width = model.heads * model.headDimension
    if let rank = model.queryRank {
      put("attn_q_a.weight", [model.hidden, rank], .plain(ParameterNames.queryDown(layer)), .attention)
      put("attn_q_a_norm.weight", [rank], .plain(ParameterNames.queryNorm(layer)), .norms)
      put("attn_q_b.weight", [rank, width], .plain(ParameterNames.queryUp(layer)), .attention)
    } else {
      put("attn_q.weight", [model.hidden, width], .plain(ParameterNames.query(layer)), .attention)
    }
    let latent = model.latentRank
    put(
      "attn_kv_a_mqa.weight", [model.hidden, latent + model.ropeDimension],
      .plain(ParameterNames.latentDown(layer)), .attention)
    put("attn_kv_a_norm.weight", [latent], .plain(ParameterNames.latentNorm(layer)), .norms)
    let up = ParameterNames.latentUp(layer)
    if splitsLatentUp {
      put("attn_k_b.weight", [model.nopeDimension, latent, model.heads], .keys(up), .attention)
      put("attn_v_b.weight", [latent, model.valueDimension, model.heads], .values(up), .attention)
    } else {
      put(
        "attn_kv_b.weight", [latent, model.heads * (model.nopeDimension + model.valueDimension)], .plain(up),
        .attention)
    }
    put(
      "attn_output.weight", [model.heads * model.valueDimension, model.hidden],
      .plain(ParameterNames.attentionOutput(layer)), .attention)
  }
}
