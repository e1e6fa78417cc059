import Foundation
import TestSupport
import Testing

@Suite("inspect of a published model's name")
struct DownloadTests {
  private func download(_ arguments: [String]) throws -> [String: Any] {
    let run = try Run(["inspect", "--json"] + arguments)
    #expect(run.status == 0 && run.errors == "")
    let json = try JSONSerialization.jsonObject(with: Data(run.output)) as! [String: Any]
    return json["download"] as! [String: Any]
  }

  private func commands(_ download: [String: Any]) -> [String] {
    (download["sources"] as! [[String: Any]]).flatMap { $0["commands"] as! [String] }
  }

  @Test("R1 in 4 bits: the official folder or a GGUF, what prepare writes, what the ranks need")
  func fourBits() throws {
    let facts = try download(["deepseek-r1", "--quant", "q4_K", "--placement-for", "8"])
    #expect(
      commands(facts) == [
        "hf download deepseek-ai/DeepSeek-R1 --local-dir DeepSeek-R1",
        "flotilla prepare DeepSeek-R1 DeepSeek-R1-prepared --quant q4_K",
        "flotilla push DeepSeek-R1-prepared --hostfile hosts --to /models/DeepSeek-R1-prepared",
        "flotilla launch --hostfile hosts -- generate /models/DeepSeek-R1-prepared -p Hello",
        "hf download unsloth/DeepSeek-R1-GGUF --include 'DeepSeek-R1-Q4_K_M/*' --local-dir DeepSeek-R1-GGUF",
        "flotilla prepare DeepSeek-R1-GGUF/DeepSeek-R1-Q4_K_M DeepSeek-R1-GGUF-prepared",
        "flotilla push DeepSeek-R1-GGUF-prepared --hostfile hosts --to /models/DeepSeek-R1-GGUF-prepared",
        "flotilla launch --hostfile hosts -- generate /models/DeepSeek-R1-GGUF-prepared -p Hello",
      ])
    let prepared = facts["prepared"] as! [String: Any]
    let ranks = prepared["bytes_by_rank"] as! [Int]
    let mtp = prepared["mtp"] as! Int
    #expect(ranks.count == 8 && ranks.reduce(0, +) + mtp == prepared["bytes"] as! Int)
  }

  @Test("One rank needs no nodes; roles go with the lines for several")
  func starts() throws {
    let one = commands(try download(["deepseek-r1", "--quant", "q4_K"]))
    #expect(one.count == 5 && one[2] == "flotilla generate DeepSeek-R1-prepared -p Hello")
    #expect(one[4] == "flotilla generate DeepSeek-R1-GGUF/DeepSeek-R1-Q4_K_M -p Hello")
    let roles = ["--coordinator-experts", "32"]
    let lines = commands(try download(["deepseek-r1", "--quant", "q4_K", "--placement-for", "8"] + roles))
    #expect(lines.count { $0.hasPrefix("flotilla push ") && $0.hasSuffix(" --coordinator-experts 32") } == 2)
    #expect(lines.count { $0.contains("-- generate ") && $0.hasSuffix(" --coordinator-experts 32 -p Hello") } == 2)
  }

  @Test("As it is published: no GGUF")
  func official() throws {
    let facts = try download(["--like", "R1-0528"])
    #expect(facts["format"] as? String == "fp8")
    #expect(commands(facts).count == 3 && commands(facts)[1].hasSuffix(" DeepSeek-R1-0528-prepared"))
  }

  @Test("Text: lines to paste, and no word about fetching for a shape that is not published")
  func text() throws {
    let run = try Run(["inspect", "DeepSeek-V2-Lite", "--quant", "q4_K"])
    #expect(run.lines.contains("    hf download deepseek-ai/DeepSeek-V2-Lite --local-dir DeepSeek-V2-Lite"))
    #expect(run.lines.filter { $0.count > 100 } == [])
    #expect(run.lines.contains("    python3 -m venv ~/hf && ~/hf/bin/pip install huggingface_hub"))
    #expect(!run.text.contains("hosts:"))
    let spread = try Run(["inspect", "DeepSeek-V2-Lite", "--quant", "q4_K", "--placement-for", "4"])
    #expect(spread.lines.last == "  hosts: a file with a line NAME slots=1 for each rank's node, 4 in all.")
    #expect(run.lines.contains { $0.hasPrefix("  Of the safetensors, prepare writes ") })
    #expect(!(try Run(["inspect", "--like", "mini"]).text.contains("fetch")))
  }

  @Test("A config.json of the shape names the models that have it")
  func alike() throws {
    try withTemporaryPath { path in
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      let lite = """
        {"model_type": "deepseek_v2", "vocab_size": 102400, "hidden_size": 2048, "num_hidden_layers": 27,
         "first_k_dense_replace": 1, "num_attention_heads": 16, "q_lora_rank": null, "kv_lora_rank": 512,
         "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "intermediate_size": 10944,
         "moe_intermediate_size": 1408, "n_routed_experts": 64, "n_shared_experts": 2, "num_experts_per_tok": 6,
         "n_group": 1, "topk_group": 1, "norm_topk_prob": false, "routed_scaling_factor": 1.0,
         "scoring_func": "softmax", "topk_method": "greedy", "max_position_embeddings": 4096, "moe_layer_freq": 1,
         "rms_norm_eps": 1e-6, "rope_theta": 10000, "eos_token_id": 100001, "bos_token_id": 100000,
         "tie_word_embeddings": false, "hidden_act": "silu", "torch_dtype": "bfloat16"}
        """
      try Data(lite.utf8).write(to: URL(filePath: path + "/config.json"))
      let run = try Run(["inspect", "--like", path + "/config.json"])
      #expect(run.status == 0)
      #expect(run.errors.contains("note: models of this shape: DeepSeek-V2-Lite, "), "\(run.errors)")
    }
  }

  @Test(
    "A name that is neither a path nor published: the known ones, and what else to give",
    arguments: ["deepseek-r2", "deepseek-ai/DeepSeek-R1-Distill-Llama-8B"])
  func unknown(_ name: String) throws {
    let run = try Run(["inspect", name])
    #expect(run.status == 2 && run.output == [])
    #expect(
      run.errors.hasPrefix(
        "error: MODEL: expected a checkpoint or the name of a published model, found \"\(name)\", a name that is not known, "
      ))
    #expect(run.errors.contains("and no file or folder /") && run.errors.contains("/\(name)\nhint: Known are "))
    #expect(run.errors.contains(" DeepSeek-R1,") && run.errors.contains("config.json"))
  }
}
