import Checkpoint
import Testing

@Suite("Published models")
struct PublishedModelTests {
  private func bytes(_ name: String) throws -> Int {
    let model = try #require(PublishedModel(named: name))
    return ParameterInventory(model.configuration).storedTensors().reduce(0) { $0 + $1.bytes }
  }

  @Test(
    "A name in any case, with and without owner and family",
    arguments: [
      ("r1", "DeepSeek-R1"), ("deepseek-r1", "DeepSeek-R1"), ("deepseek-ai/DeepSeek-R1-0528", "DeepSeek-R1-0528"),
      ("V2-LITE", "DeepSeek-V2-Lite"), ("v3.1", "DeepSeek-V3.1"),
    ])
  func names(_ text: String, _ name: String) {
    #expect(PublishedModel(named: text)?.name == name)
  }

  @Test("Other names are none", arguments: ["", "r2", "DeepSeek-R1-Distill-Llama-8B", "unsloth/DeepSeek-R1", "v3.2"])
  func unknown(_ text: String) {
    #expect(PublishedModel(named: text) == nil)
  }

  @Test("Every model is found by its name and repository, and no two share one")
  func all() {
    for model in PublishedModel.all {
      #expect(PublishedModel(named: model.name) == model && PublishedModel(named: model.repository) == model)
      #expect(PublishedModel.alike(model.configuration).contains(model))
    }
    #expect(PublishedModel.alike(ModelConfiguration.Preset.mini.configuration) == [])
  }

  /// The headers of 163 files take less than 0.1 % on top of the tensors.
  @Test("The architecture gives the size of the published files")
  func officialSize() throws {
    let published = try #require(PublishedModel(named: "DeepSeek-V3")?.bytes)
    let computed = try bytes("DeepSeek-V3")
    #expect(computed <= published && Double(published - computed) < 0.001 * Double(published), "\(computed)")
    #expect(try bytes("DeepSeek-V2-Lite") == 2 * 15_706_484_224)
  }

  /// The nine files of DeepSeek-V3.1 in Q4_K_M have 405.4 GB.
  @Test("So it does for quantised files, nearly")
  func quantisedSize() throws {
    let model = try #require(PublishedModel(named: "DeepSeek-V3.1"))
    let bytes = try #require(model.quantised).tensorBytes(model.configuration)
    #expect((400_000_000_000..<411_000_000_000).contains(bytes), "\(bytes)")
  }
}
