import Checkpoint
import DeepSeek
import Foundation
import Inference
import TestSupport
import Testing

@Suite("What prepare writes is known before")
struct PreparedSizesTests {
  @Test("Every bundle, to the byte", arguments: Fixtures.checkpoints, ["auto", "q4_K", "Q4_K_M", "bf16"])
  func sizes(fixture: String, quant: String) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: folder) }
    let checkpoint = try Checkpoint.open(Fixtures.url(fixture))
    let formats = try WeightFormats(quant: quant, for: checkpoint)
    let experts = (0..<checkpoint.configuration.routedExperts).map { BundleName.expert($0) }
    let preparation = try Preparation(
      checkpoint, formats: formats, bundles: Set(experts + [.dense, .gates, .mtp]), into: folder, version: "test")
    let written = try preparation.run(threads: 2).bundles
    let plain = try #require(checkpoint.info(ParameterNames.embedding)).type
    let sizes = PreparedSizes(checkpoint.configuration, formats, plain: plain)
    #expect(sizes.bundles == Dictionary(uniqueKeysWithValues: written.map { ($0.name, $0.bytes) }))
    #expect(sizes.bytes == written.reduce(0) { $0 + $1.bytes })
  }
}
