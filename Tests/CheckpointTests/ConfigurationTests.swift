import Checkpoint
import Foundation
import StrictJSON
import TestSupport
import Testing

@Suite struct ConfigurationTests {
  /// The R1-form fixture with one field replaced by JSON text, or removed.
  private func changed(_ field: String, _ value: String?, in fixture: String = "tiny-f32") throws -> ModelConfiguration
  {
    let json = try StrictJSON.parse(try Fixtures.data("\(fixture)/config.json"))
    var members = try #require(json.object).members.filter { $0.key.text != field }
    if let value { members.append((JSONString(field), try StrictJSON.parse(value))) }
    let object = try #require(JSONObject(members))
    return try ModelConfiguration(json: .object(object), file: "config.json")
  }

  private func complaint(_ field: String, _ value: String?, in fixture: String = "tiny-f32") throws -> String {
    try #require(throws: CheckpointError.self, "\(field) \(value ?? "absent")") {
      try changed(field, value, in: fixture)
    }.description
  }

  @Test func exactWords() throws {
    #expect(
      try complaint("num_experts_per_tok", "17")
        == "config.json: field num_experts_per_tok: expected 1 to n_routed_experts (16), found 17. "
        + "Hint: A token cannot visit more experts than there are.")
    #expect(
      try complaint("hidden_size", "0")
        == "config.json: field hidden_size: expected an integer, 1 to 1048576, found 0. "
        + "Hint: No model of this family has such a value.")
    #expect(
      try complaint("model_type", nil)
        == "config.json: field model_type: expected deepseek_v3 or deepseek_v2, found nothing. "
        + "Hint: The field is missing.")
    #expect(
      try complaint("model_type", "\"llama\"")
        == "config.json: field model_type: expected deepseek_v3 or deepseek_v2, found \"llama\". "
        + "Hint: Flotilla runs the DeepSeek-V2 and V3 families (R1 is a V3).")
    #expect(
      try complaint("n_group", "3")
        == "config.json: field n_group: expected a divisor of n_routed_experts (16), found 3. "
        + "Hint: All routing groups have the same size.")
  }

  @Test(arguments: [
    ("vocab_size", "-1"), ("vocab_size", "1e30"), ("hidden_size", "\"64\""), ("hidden_size", "64.5"),
    ("hidden_size", "null"), ("hidden_size", "9223372036854775807"), ("num_hidden_layers", "0"),
    ("num_hidden_layers", "1000000"), ("first_k_dense_replace", "4"), ("first_k_dense_replace", "-1"),
    ("moe_layer_freq", "0"), ("moe_layer_freq", "9"), ("num_attention_heads", "0"), ("num_key_value_heads", "2"),
    ("q_lora_rank", "0"), ("kv_lora_rank", "[]"), ("qk_rope_head_dim", "7"), ("qk_nope_head_dim", "0"),
    ("v_head_dim", "true"), ("intermediate_size", "-5"), ("moe_intermediate_size", "2e9"),
    ("n_routed_experts", "0"), ("n_shared_experts", "-1"), ("num_experts_per_tok", "0"), ("n_group", "0"),
    ("n_group", "16"), ("topk_group", "5"), ("topk_group", "0"), ("norm_topk_prob", "1"),
    ("routed_scaling_factor", "0"), ("routed_scaling_factor", "1e999"), ("scoring_func", "\"relu\""),
    ("scoring_func", "\"softmax\""), ("topk_method", "\"greedy\""), ("topk_method", "7"),
    ("hidden_act", "\"gelu\""), ("attention_bias", "true"), ("rope_interleave", "false"),
    ("rms_norm_eps", "-1"), ("rms_norm_eps", "\"x\""), ("rope_theta", "0"), ("rope_scaling", "[]"),
    ("max_position_embeddings", "0"), ("num_nextn_predict_layers", "-1"), ("bos_token_id", "512"),
    ("eos_token_id", "[1,-1]"), ("eos_token_id", "\"1\""), ("tie_word_embeddings", "0"),
    ("quantization_config", "1"),
  ])
  func impossible(_ field: String, _ value: String) throws {
    let text = try complaint(field, value)
    let mayName = ["scoring_func": "topk_method"][field] ?? field
    #expect(
      text.hasPrefix("config.json: field \(mayName): ") || text.hasPrefix("config.json: field \(field): "), "\(text)")
  }

  @Test(arguments: [
    (#"{"type":"linear","factor":2}"#, "type"), (#"{"factor":2}"#, "type"),
    (#"{"rope_type":"yarn","original_max_position_embeddings":64}"#, "factor"),
    (#"{"rope_type":"yarn","factor":0.5,"original_max_position_embeddings":64}"#, "factor"),
    (#"{"type":"yarn","factor":4}"#, "original_max_position_embeddings"),
    (#"{"type":"yarn","factor":4,"original_max_position_embeddings":64,"beta_fast":1,"beta_slow":32}"#, "beta_fast"),
    (#"{"type":"yarn","factor":4,"original_max_position_embeddings":64,"attention_factor":1.5}"#, "attention_factor"),
    (#"{"type":"yarn","factor":4,"original_max_position_embeddings":64,"truncate":false}"#, "truncate"),
  ])
  func impossibleRotary(_ value: String, _ field: String) throws {
    #expect(try complaint("rope_scaling", value).hasPrefix("config.json: field rope_scaling.\(field): "))
  }

  @Test(arguments: [
    (#"{}"#, "quant_method"), (#"{"quant_method":"awq"}"#, "quant_method"),
    (#"{"quant_method":"fp8","fmt":"e5m2"}"#, "fmt"),
    (#"{"quant_method":"fp8","weight_block_size":[128]}"#, "weight_block_size"),
    (#"{"quant_method":"fp8","weight_block_size":[0,128]}"#, "weight_block_size"),
    (#"{"quant_method":"fp8","weight_block_size":null}"#, "weight_block_size"),
    (#"{"quant_method":"fp8","activation_scheme":"static"}"#, "activation_scheme"),
  ])
  func impossibleQuantization(_ value: String, _ field: String) throws {
    #expect(try complaint("quantization_config", value).hasPrefix("config.json: field quantization_config.\(field): "))
  }

  @Test func expertsOfTheChosenGroupsMustSuffice() throws {
    // 2 of 4 groups hold 8 experts.
    #expect(try changed("num_experts_per_tok", "8").expertsPerToken == 8)
    #expect(try complaint("num_experts_per_tok", "9").contains("at most 8, the experts of topk_group (2) groups"))
    // Greedy choice knows no groups.
    #expect(try changed("num_experts_per_tok", "16", in: "tiny-v2lite").expertsPerToken == 16)
  }

  @Test func tooManyParameters() throws {
    let json = try StrictJSON.parse(try Fixtures.data("tiny-f32/config.json"))
    let huge = ["hidden_size", "moe_intermediate_size", "intermediate_size"]
    var members = try #require(json.object).members.filter { !huge.contains($0.key.text) }
    for field in huge { members.append((JSONString(field), .number(JSONNumber(1 << 20)))) }
    let object = try #require(JSONObject(members))
    _ = try ModelConfiguration(json: .object(object), file: "config.json")
    let many = try #require(
      JSONObject(
        members.filter { $0.key.text != "num_hidden_layers" } + [("num_hidden_layers", .number(JSONNumber(4096)))]))
    let error = try #require(throws: CheckpointError.self) {
      try ModelConfiguration(json: .object(many), file: "config.json")
    }
    #expect(error.expected == "a model of at most 10^15 parameters")
  }

  @Test func formsOfTheSame() throws {
    let plain = try changed("unknown_field", "1")
    #expect(try changed("hidden_size", "64.0") == plain)
    #expect(try changed("hidden_size", "6.4e1") == plain)
    #expect(try changed("attention_bias", nil) == plain)
    #expect(try changed("eos_token_id", "[1]") == plain)
    #expect(try changed("eos_token_id", "[1, 5]").eosTokens == [1, 5])
    #expect(try changed("eos_token_id", "null").eosTokens == [])
    #expect(try changed("bos_token_id", "null").bosToken == nil)
    #expect(try changed("q_lora_rank", "null").queryRank == nil)
    #expect(try changed("q_lora_rank", nil).queryRank == 1536)
    #expect(try changed("n_shared_experts", "null").sharedExperts == 0)
    #expect(try changed("n_group", "null", in: "tiny-v2lite").groups == 1)
    #expect(try changed("topk_method", "\"gready\"", in: "tiny-v2lite").selection == .greedy)
    #expect(try changed("topk_method", "\"group_limited_greedy\"", in: "tiny-v2lite").selection == .groupLimitedGreedy)
    #expect(try changed("rope_scaling", #"{"rope_type":"default"}"#).yarn == nil)
    #expect(
      try changed("quantization_config", #"{"quant_method":"fp8"}"#).quantizationBlock == .init(rows: 128, columns: 128)
    )
    let yarn =
      #"{"rope_type":"yarn","factor":4,"original_max_position_embeddings":64,"mscale":1.0,"mscale_all_dim":1.0}"#
    #expect(try changed("rope_scaling", yarn) == plain)
  }

  @Test func newerRotaryForm() throws {
    let json = try StrictJSON.parse(try Fixtures.data("tiny-f32/config.json"))
    let members = try #require(json.object).members.filter { !["rope_scaling", "rope_theta"].contains($0.key.text) }
    func model(_ parameters: String) throws -> ModelConfiguration {
      let object = try #require(JSONObject(members + [("rope_parameters", try StrictJSON.parse(parameters))]))
      return try ModelConfiguration(json: .object(object), file: "config.json")
    }
    let yarn = try model(
      #"{"rope_theta":50000,"rope_type":"yarn","factor":40,"original_max_position_embeddings":4096,"mscale_all_dim":1}"#
    )
    #expect(yarn.ropeTheta == 50_000 && yarn.yarn?.factor == 40 && yarn.yarn?.mscale == 1)
    let none = try model(#"{"rope_theta":20000.0,"rope_type":"default"}"#)
    #expect(none.ropeTheta == 20_000 && none.yarn == nil)
  }

  @Test func officialDefaults() throws {
    let r1 = try ModelConfiguration(
      json: try StrictJSON.parse(#"{"model_type":"deepseek_v3"}"#), file: "config.json")
    #expect(ParameterInventory(r1).total == 671_026_419_200)
    // 15 that shape tensors, 10 that change what is computed.
    #expect(r1.assumedFields.count == 25 && r1.maxPositions == 4096)
    #expect(throws: CheckpointError.self) {
      try ModelConfiguration(json: try StrictJSON.parse(#"{"model_type":"deepseek_v2"}"#), file: "config.json")
    }
  }

  @Test func layersThatRoute() throws {
    var model = try changed("moe_layer_freq", "2")
    #expect(model.moeLayers == [2])
    model.denseLayers = 0
    #expect(model.moeLayers == [0, 2] && model.isMoE(layer: 2) && !model.isMoE(layer: 1))
  }

  @Test func generationDefaultsAreChecked() throws {
    func defaults(_ text: String) throws -> GenerationDefaults {
      try GenerationDefaults(json: try StrictJSON.parse(text), file: "generation_config.json", vocabulary: 10)
    }
    #expect(try defaults("{}") == GenerationDefaults())
    let all = try defaults(
      #"{"do_sample":false,"temperature":1,"top_p":0.5,"top_k":20,"min_p":0.05,"repetition_penalty":1.1,"#
        + #""eos_token_id":[1,2]}"#)
    #expect(all.sample == false && all.temperature == 1 && all.topK == 20 && all.eosTokens == [1, 2])
    #expect(all.topP == 0.5 && all.minP == 0.05 && all.repetitionPenalty == 1.1)
    for bad in [
      #"{"top_p":2}"#, #"{"temperature":"hot"}"#, #"{"eos_token_id":10}"#, #"{"top_k":-1}"#, #"{"min_p":1.5}"#, "[]",
    ] {
      #expect(throws: CheckpointError.self, "\(bad)") { try defaults(bad) }
    }
  }
}
