import Checkpoint
import DeepSeek
import ExpertParallel
import Planning
import Testing

@Suite("What a placement does to a token")
struct LoadTests {
  private let model = ModelConfiguration.Preset.r1.configuration

  @Test("R1 on eight nodes: the busiest has 3.5 of 8 experts aligned, 2.5 striped; rows go the other way")
  func alignedAndStriped() throws {
    let sample = RoutingSample(model, tokens: 4096)
    let aligned = PlacementLoad(try .contiguous(experts: 256, ranks: 8), sample)
    let striped = PlacementLoad(try .striped(experts: 256, ranks: 8), sample)
    // As the script in Documentation/DeepSeek-R1.md counts.
    #expect(abs(aligned.busiest - 3.49) < 0.05)
    #expect(abs(striped.busiest - 2.5) < 0.15)
    #expect(aligned.hosts <= 4 && abs(aligned.sums - 3.18) < 0.3)
    #expect(striped.hosts > 5 && striped.sums > 5)
  }

  @Test("Independent affinities are more even: the groups with the two best experts give two each")
  func independent() throws {
    let sample = RoutingSample(model, tokens: 2048, gates: .independent)
    let aligned = PlacementLoad(try .contiguous(experts: 256, ranks: 8), sample)
    #expect(aligned.busiest > 2.8 && aligned.busiest < 3.2)
    #expect(aligned.hosts > 3.8 && aligned.hosts <= 4)
  }

  @Test("k experts, ascending, of at most so many groups", arguments: [RoutingSample.Gates.uniform, .independent])
  func rule(gates: RoutingSample.Gates) {
    let sample = RoutingSample(model, tokens: 64, gates: gates)
    for token in 0..<64 {
      let ids = sample.experts[token * 8..<(token + 1) * 8]
      #expect(zip(ids, ids.dropFirst()).allSatisfy { $0 < $1 })
      #expect(Set(ids.map { $0 / 32 }).count <= 4)
    }
    #expect(RoutingSample(model, tokens: 64, gates: gates).experts == sample.experts)
    #expect(RoutingSample(model, tokens: 64, gates: gates, seed: 2).experts != sample.experts)
  }

  @Test("Every expert is chosen equally often", arguments: [RoutingSample.Gates.uniform, .independent])
  func even(gates: RoutingSample.Gates) {
    var counts = [Int](repeating: 0, count: 256)
    for expert in RoutingSample(model, tokens: 4096, gates: gates).experts { counts[Int(expert)] += 1 }
    // 128 each, give or take five times its root.
    #expect(counts.allSatisfy { (70...186).contains($0) })
  }
}
