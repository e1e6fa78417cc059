import Checkpoint
import DeepSeek
import ExpertParallel
import Inference
import Kernels
import TestSupport
import Testing

@Suite("Memory is planned before anything is loaded")
struct MemoryPlanTests {
  private func plan(
    _ preset: ModelConfiguration.Preset, _ format: WeightFormat, cache: CacheFormat = .f32, ranks: Int
  ) throws -> MemoryPlan {
    let configuration = preset.configuration
    return MemoryPlan(
      configuration: configuration, formats: WeightFormats(format), cacheFormat: cache,
      placement: try .contiguous(experts: configuration.routedExperts, ranks: ranks), prefillChunk: 512, sequences: 1,
      threads: 2)
  }

  @Test("R1 in bf16 on eight ranks: each its share, the coordinator the dense part too")
  func shares() throws {
    let plan = try plan(.r1, .bf16, ranks: 8)
    let whole = ParameterInventory(ModelConfiguration.Preset.r1.configuration).total * 2
    let shares = (0..<8).map(plan.bytesWithoutCache(rank:))
    #expect(shares.reduce(0, +) > whole && shares.reduce(0, +) < whole + whole / 50)
    #expect(shares[0] == shares.max()! && shares[2] == shares[7])
    // 58 layers x 32 experts x 3 x 7168 x 2048 weights of two bytes, and buffers.
    #expect(shares[7] > 163_460_000_000 && shares[7] < 163_800_000_000)
  }

  @Test("Ranks with slices hold their share of what is divided once more: of R1 in q4_K 6.75 GB")
  func slices() throws {
    let configuration = ModelConfiguration.Preset.r1.configuration
    let formats = try WeightFormats(parsing: "q4_K", natural: .bf16)
    let alone = try Placement.contiguous(experts: 256, ranks: 8)
    func bytes(_ placement: Placement, _ rank: Int) -> Int {
      MemoryPlan(
        configuration: configuration, formats: formats, cacheFormat: .f16, placement: placement, prefillChunk: 512,
        sequences: 1, threads: 2
      ).weightBytes(rank: rank)
    }
    let divided = try alone.dividing(among: 0..<8)
    let divisible = WeightSizes(configuration, formats).divisible
    #expect((6_700_000_000...6_800_000_000).contains(divisible))
    #expect(bytes(divided, 0) == bytes(alone, 0))
    #expect((1..<8).allSatisfy { bytes(divided, $0) - bytes(alone, $0) == (divisible + 7) / 8 })
  }

  @Test("A run divides large products by itself, not those of small models")
  func worthDividing() {
    for (preset, isWorth) in [
      (ModelConfiguration.Preset.r1, true), (.v2Lite, true), (.bench3B, true), (.mini, false), (.tiny, false),
    ] {
      #expect(WeightSizes(preset.configuration, WeightFormats(.q4_K)).isWorthDividing == isWorth, "\(preset)")
    }
  }

  @Test("576 numbers for each layer and position of R1")
  func cache() throws {
    #expect(try plan(.r1, .bf16, ranks: 8).cacheBytesPerPosition == 61 * 576 * 4)
    #expect(try plan(.r1, .bf16, cache: .f16, ranks: 8).cacheBytesPerPosition == 61 * (512 * 2 + 64 * 4))
  }

  @Test("The context is what fits, at most the model's maximum, and nothing where nothing fits")
  func context() throws {
    let plan = try plan(.mini, .bf16, ranks: 2)
    let bare = plan.bytes(ranks: [0, 1], contextSize: 0)
    #expect(plan.contextThatFits(ranks: [0, 1], available: 1 << 40) == 4096)
    let available = (bare + 100 * plan.cacheBytesPerPosition) * 20 / 19
    let found = try #require(plan.contextThatFits(ranks: [0, 1], available: available))
    #expect((98...101).contains(found))
    #expect(plan.contextThatFits(ranks: [0, 1], available: bare / 2) == nil)
    #expect(plan.contextThatFits(ranks: [1], available: bare / 2) == 4096, "the cache is the coordinator's")
  }

  @Test("A context beyond the memory is refused with the one that fits")
  func beyondMemory() throws {
    let available = try #require(MachineMemory.available())
    var options = RunOptions(model: Fixtures.url("tiny-f32"), version: "test")
    let configuration = try Checkpoint.open(options.model).configuration
    let one = MemoryPlan(
      configuration: configuration, formats: WeightFormats(.f32), cacheFormat: .f32,
      placement: try .contiguous(experts: configuration.routedExperts, ranks: 1), prefillChunk: 512, sequences: 1,
      threads: 1)
    // So many sequences that half of the model's 256 positions would take all memory.
    options.parallel = available / (128 * one.cacheBytesPerPosition)
    options.contextSize = 256
    let error = #expect(throws: RequestError.self) {
      _ = try RunSession(options, fleet: Fleet(timeout: .seconds(10), hub: options.coordinator))
    }
    let text = error.map { "\($0)" } ?? ""
    let most = try #require(text.firstMatch(of: /context size: expected at most (\d+), .* found 256\. Hint/))
    #expect((16...128).contains(try #require(Int(most.1))), "\(text)")
  }

  @Test("A context beyond the model is refused")
  func beyond() throws {
    var options = RunOptions(model: Fixtures.url("tiny-f32"), version: "test")
    options.contextSize = 257
    let maximum = "the maximum is max_position_embeddings of the model's configuration"
    for (given, subject, advice) in [(nil, "", "lower --ctx-size"), ("-c", " of -c", "give fewer tokens")] {
      options.contextOptions = given
      let text =
        "context size\(subject): expected 1 to 256 (the model's maximum), found 257. Hint: \(advice); \(maximum)"
      #expect(throws: RequestError(text)) {
        _ = try RunSession(options, fleet: Fleet(timeout: .seconds(10), hub: options.coordinator))
      }
    }
  }
}
