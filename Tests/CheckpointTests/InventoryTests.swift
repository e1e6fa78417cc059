import Checkpoint
import TestSupport
import Testing

@Suite struct InventoryTests {
  /// Independently added up from the published dimensions.
  @Test func officialTotals() {
    let r1 = ParameterInventory(ModelConfiguration.Preset.r1.configuration)
    #expect(r1.total == 671_026_419_200)
    #expect(r1.activePerToken == 36_625_625_600)
    #expect(r1.parametersPerExpert == 2_554_331_136)
    let lite = ParameterInventory(ModelConfiguration.Preset.v2Lite.configuration)
    #expect(lite.total == 15_706_484_224)
    #expect(lite.activePerToken == 2_451_437_056)
    #expect(ParameterInventory(ModelConfiguration.Preset.v2.configuration).total == 235_741_434_880)
  }

  @Test func sizesOfThePresets() {
    func total(_ preset: ModelConfiguration.Preset) -> Int { ParameterInventory(preset.configuration).total }
    #expect((400_000...700_000).contains(total(.tiny)), "\(total(.tiny))")
    #expect((22_000_000...28_000_000).contains(total(.mini)), "\(total(.mini))")
    #expect((2_800_000_000...3_700_000_000).contains(total(.bench3B)), "\(total(.bench3B))")
  }

  @Test(arguments: ModelConfiguration.Preset.allCases)
  func presetsAreVerified(_ preset: ModelConfiguration.Preset) throws {
    let model = preset.configuration
    #expect(try ModelConfiguration(json: model.json(storage: .bf16), file: "config.json") == model)
  }

  @Test(arguments: Fixtures.checkpoints)
  func countsAreThoseOfTheList(_ name: String) throws {
    let checkpoint = try Checkpoint.open(Fixtures.url(name))
    let inventory = ParameterInventory(checkpoint.configuration)
    var counts: [ModelPart: Int] = [:]
    for parameter in inventory.parameters() { counts[parameter.part, default: 0] += parameter.count }
    #expect(inventory.countByPart.filter { $0.value > 0 } == counts)
    #expect(inventory.total == counts.values.reduce(0, +))
    // The list is the checkpoint: nothing missing, nothing more.
    let names = inventory.parameters(includingMTP: true).map(\.name)
    let stored = checkpoint.tensors.keys.filter { !$0.hasSuffix("_scale_inv") }
    #expect(names.sorted() == stored.sorted())
    for parameter in inventory.parameters(includingMTP: true) {
      #expect(checkpoint.info(parameter.name)?.shape == parameter.shape)
    }
  }

  @Test(arguments: Fixtures.checkpoints)
  func storedTensorsAreTheCheckpoint(_ name: String) throws {
    let checkpoint = try Checkpoint.open(Fixtures.url(name))
    let plain = try #require(checkpoint.info(ParameterNames.embedding)).type
    let stored = ParameterInventory(checkpoint.configuration).storedTensors(plain: plain)
    #expect(stored.map(\.name).sorted() == checkpoint.tensors.keys.sorted())
    #expect(stored.allSatisfy { checkpoint.info($0.name)?.shape == $0.shape })
    #expect(stored.filter { checkpoint.info($0.name)?.type != $0.type }.map(\.name) == [])
  }

  @Test(arguments: Fixtures.checkpoints)
  func storedSizesAreTheFiles(_ name: String) throws {
    let checkpoint = try Checkpoint.open(Fixtures.url(name))
    let sizes = checkpoint.storedSizes()
    let bytes = checkpoint.tensors.values.reduce(0) { $0 + $1.byteRange.count }
    #expect(sizes.byPart.values.reduce(0, +) == bytes)
    #expect(sizes.byType.values.reduce(0, +) == sizes.total)
    #expect(sizes.byExpert.reduce(0, +) == sizes.byPart[.routedExperts])
    #expect(Set(sizes.byExpert).count == 1)
    #expect((sizes.byPart[.mtp] != nil) == (name == "tiny-mtp"))
    #expect(sizes.densePart + sizes.byExpert.reduce(0, +) + sizes.byPart[.gates, default: 0] == sizes.total)
  }
}
