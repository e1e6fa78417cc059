import DeepSeek
import Kernels
import TestSupport
import Testing

@Suite("Attention over long sequences, and its cache", .serialized)
struct AttentionTests {
  /// Far enough for three spans of the absorbed form, the last of them short, and five runs of the expanded form.
  private static let depth = 1_100
  /// As one piece these are more spans than are computed at once: a row's spans are merged in two turns.
  private static let generated = 24

  private func tokens(_ count: Int) -> [Int] {
    var random = SeededGenerator(seed: 5)
    return (0..<count).map { _ in random.below(400) }
  }

  /// Logits of the last positions, after a prompt in chunks; generated positions go one by one, or as one piece.
  private func deep(_ local: LocalModel, chunk: Int, oneByOne: Bool = true, form: AttentionForm = .absorbed) throws
    -> [[Float]]
  {
    let (depth, generated) = (Self.depth, Self.generated)
    let prompt = stride(from: 0, to: depth, by: chunk).map { (min(chunk, depth - $0), AttentionForm.expanded) }
    let tail = oneByOne ? Array(repeating: (1, form), count: generated) : [(generated, form)]
    return try local.logits(tokens(depth + generated), pieces: prompt + tail).suffix(generated)
  }

  private func model(_ cache: CacheFormat, threads: Int = 1, kernels: KernelTable = .best) throws -> LocalModel {
    try LocalModel("tiny-f32", cache: cache, threads: threads, kernels: kernels, positions: 2_000)
  }

  @Test("The same bits for threads, chunks and pieces", arguments: CacheFormat.allCases)
  func bits(cache: CacheFormat) throws {
    let expected = try deep(model(cache), chunk: 128)
    #expect(try deep(model(cache, threads: 2), chunk: 50) == expected)
    #expect(try deep(model(cache), chunk: 127, oneByOne: false) == expected)
  }

  @Test("Absorbed and expanded agree in depth", arguments: CacheFormat.allCases)
  func forms(cache: CacheFormat) throws {
    let local = try model(cache)
    let absorbed = try deep(local, chunk: 128)
    let expanded = try deep(local, chunk: 128, form: .expanded)
    #expect(largestDifference(absorbed.joined(), expanded.joined()) < 1e-3)
    #expect(absorbed != expanded)
  }

  @Test("Instruction sets agree on a rounded cache", arguments: Fixtures.checkpoints)
  func instructionSets(fixture: String) throws {
    let ids = try Golden(fixture: fixture).integers("p1.input_ids")
    let pieces = [(11, AttentionForm.expanded), (6, .absorbed)]
    let expected = try LocalModel(fixture, cache: .f16, kernels: KernelTable(.scalar)!).logits(ids, pieces: pieces)
    for set in InstructionSet.allCases {
      guard let kernels = KernelTable(set) else { continue }
      #expect(try LocalModel(fixture, cache: .f16, kernels: kernels).logits(ids, pieces: pieces) == expected, "\(set)")
    }
  }

  @Test("An f16 cache rounds, a little")
  func rounding() throws {
    let ids = try Golden(fixture: "tiny-f32").integers("p2.input_ids")
    let pieces = [(ids.count, AttentionForm.expanded)]
    let exact = try LocalModel("tiny-f32").logits(ids, pieces: pieces)
    let rounded = try LocalModel("tiny-f32", cache: .f16).logits(ids, pieces: pieces)
    let difference = largestDifference(exact.joined(), rounded.joined())
    #expect(difference > 0 && difference < 2e-2)
  }

  @Test("Half the bytes, and rotary keys in f32")
  func size() {
    func bytes(_ format: CacheFormat, rank: Int) -> Int {
      LatentCache.bytesPerPosition(layers: 2, latentRank: rank, rotarySize: 64, format: format)
    }
    #expect(bytes(.f32, rank: 512) == 2 * 4 * 576)
    #expect(bytes(.f16, rank: 512) == 2 * (2 * 512 + 4 * 64))
    #expect(bytes(.f16, rank: 33) == 2 * (68 + 4 * 64), "the f32 part stays aligned")
  }

  @Test("f16 where attention's weights are block-quantised, f32 where they lose nothing")
  func automatic() throws {
    let expected: [(quant: String, cache: CacheFormat)] = [
      ("f32", .f32), ("bf16", .f32), ("q8_0", .f16), ("Q4_K_M", .f16), ("q4_K,attention=bf16", .f32),
      ("bf16,experts=q4_K", .f32),
    ]
    for (quant, cache) in expected {
      #expect(CacheFormat.automatic(for: try WeightFormats(parsing: quant, natural: .f32)) == cache, "\(quant)")
    }
  }
}
