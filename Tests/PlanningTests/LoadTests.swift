import Checkpoint
import DeepSeek
import ExpertParallel
import Planning
import Testing

@Suite("What a placement does to a token")
struct LoadTests {
  private let model = ModelConfiguration.Preset.r1.configuration

  @Test("R1 on eight equal nodes: the busiest has 3.5 of a token's 8 experts aligned, 2.5 striped; rows go the other way")
  func alignedAndStriped() throws {
    let sample = RoutingSample(model, tokens: 4096)
    let aligned = PlacementLoad(try .contiguous(experts: 256, ranks: 8), sample)
    let striped = PlacementLoad(try .striped(experts: 256, ranks: 8), sample)
    #expect(abs(aligned.busiest - 3.49) < 0.05, "as Documentation/DeepSeek-R1.md counts by other means")
    #expect(abs(striped.busiest - 2.5) < 0.1)
    #expect(abs(aligned.hosts - 3.5) < 0.5 && aligned.hosts <= 4)
    #expect(striped.hosts > 5)
    #expect(aligned.sums < 4 && striped.sums > 5)
  }

  @Test("The router's own rule: ascending, k of them, of at most so many groups")
  func rule() {
    let sample = RoutingSample(model, tokens: 64)
    for token in 0..<64 {
      let ids = sample.experts[token * 8..<(token + 1) * 8]
      #expect(zip(ids, ids.dropFirst()).allSatisfy { $0 < $1 })
      #expect(Set(ids.map { $0 / 32 }).count <= 4)
    }
    #expect(RoutingSample(model, tokens: 64).experts == sample.experts)
    #expect(RoutingSample(model, tokens: 64, seed: 2).experts != sample.experts)
  }
}
