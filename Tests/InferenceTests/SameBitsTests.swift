import DeepSeek
import ExpertParallel
import Inference
import TestSupport
import Testing

@Suite("Any distribution gives the bits of one rank")
struct SameBitsTests {
  /// Tokens of the traces below, and how they are cut.
  private func hash(_ fixture: LoadedFixture, _ placement: Placement, seed: UInt64?, chunk: Int, together: Bool = false)
    throws -> String
  {
    let golden = [[1, 5, 9, 200, 7, 33, 21, 80, 2, 41, 99], [17], [300, 301, 302, 303, 304]]
    let fleet = fixture.fleet(placement, seed: seed)
    let tracer = Tracer(model: fixture.model, fabric: fleet.fabric, chunk: chunk)
    return TraceFile.hash(try tracer.trace(prompts: golden, greedy: 3, together: together))
  }

  @Test("1,000 seeds of delays, reorderings and placements")
  func seeds() throws {
    let fixture = try LoadedFixture("tiny-f32")
    let experts = fixture.configuration.routedExperts
    let expected = try hash(fixture, .contiguous(experts: experts, ranks: 1), seed: nil, chunk: 100)
    for seed in 0..<UInt64(1000) {
      let placement = try Placement.scattered(experts: experts, ranks: 1 + Int(seed % 8), seed: seed)
      let found = try hash(fixture, placement, seed: seed, chunk: [1, 7, 100][Int(seed % 3)], together: seed % 2 == 0)
      #expect(found == expected, "seed \(seed)")
    }
  }

  @Test(
    "Every kind of model, f32 and encoded dispatches, ranks 1 to 6 and more ranks than experts",
    arguments: Fixtures.checkpoints)
  func kinds(name: String) throws {
    for format in [LoadedFixture.Format.f32, .bf16, .q4_1, .q8_0] {
      let fixture = try LoadedFixture(name, format: format)
      let experts = fixture.configuration.routedExperts
      let expected = try hash(fixture, .contiguous(experts: experts, ranks: 1), seed: nil, chunk: 100)
      for ranks in [1, 2, 3, 4, 5, 6, experts + 3] {
        for placement in [
          try Placement.contiguous(experts: experts, ranks: ranks),
          try Placement.striped(experts: experts, ranks: ranks, coordinator: ranks - 1, router: 0),
        ] {
          #expect(try hash(fixture, placement, seed: 5, chunk: 7) == expected, "\(ranks) ranks, \(format)")
        }
      }
    }
  }

  @Test(
    "Many rows in one, two and three micro-batches, over messages that are delayed and reordered",
    arguments: AttentionForm.allCases)
  func microBatches(form: AttentionForm) throws {
    let fixture = try LoadedFixture("tiny-f32", format: .q4_1, cache: .f16)
    let experts = fixture.configuration.routedExperts
    let tokens = (0..<200).map { $0 * 31 % 400 }
    func bits(_ placement: Placement, microBatches: Int, seed: UInt64?) throws -> [UInt32] {
      fixture.model.microBatches = microBatches
      let fleet = fixture.fleet(placement, seed: seed)
      fleet.fabric.wantsLogits = false
      var batch = Batch()
      let cache = fixture.model.makeCache(capacity: 208)
      batch.append(Segment(cache: cache, firstPosition: 0, count: 200, form: form), tokens: tokens)
      let prompt = try fixture.model.forward(batch, fabric: fleet.fabric)
      var found = (0..<200).flatMap { prompt[$0].map(\.bitPattern) }
      batch.removeAll()
      batch.append(Segment(cache: cache, firstPosition: 200, count: 1, form: .absorbed), tokens: [7])
      found += try fixture.model.forward(batch, fabric: fleet.fabric)[0].map(\.bitPattern)
      return found
    }
    let expected = try bits(.contiguous(experts: experts, ranks: 1), microBatches: 1, seed: nil)
    for seed in 0..<UInt64(12) {
      let placement = try Placement.scattered(experts: experts, ranks: 1 + Int(seed % 5), seed: seed)
      #expect(try bits(placement, microBatches: 1 + Int(seed % 3), seed: seed) == expected, "seed \(seed)")
    }
  }

  @Test("A cache in f16")
  func roundedCache() throws {
    let fixture = try LoadedFixture("tiny-f32", cache: .f16)
    let experts = fixture.configuration.routedExperts
    let expected = try hash(fixture, .contiguous(experts: experts, ranks: 1), seed: nil, chunk: 100)
    for seed in 0..<UInt64(40) {
      let placement = try Placement.scattered(experts: experts, ranks: 1 + Int(seed % 8), seed: seed)
      let found = try hash(fixture, placement, seed: seed, chunk: [1, 7, 100][Int(seed % 3)], together: seed % 2 == 0)
      #expect(found == expected, "seed \(seed)")
    }
    let exact = try LoadedFixture("tiny-f32")
    #expect(try hash(exact, .contiguous(experts: experts, ranks: 1), seed: nil, chunk: 100) != expected)
  }
}
