import Checkpoint
import TestSupport
import Testing

@Suite("Models without weights")
struct PhantomTests {
  private static func phantom(_ preset: ModelConfiguration.Preset, skew: Double = 0) throws -> Checkpoint {
    try Checkpoint(PhantomModel(preset.rawValue, preset.configuration, seed: 3, skew: skew))
  }

  private static func row(_ source: TensorSource, _ row: Int) -> [Float] {
    [Float](unsafeUninitializedCapacity: source.columns) { out, count in
      source.readRows(row..<row + 1, into: out.baseAddress!, stride: source.columns)
      count = source.columns
    }
  }

  @Test(
    "Every parameter of the real model is there, in its shape",
    arguments: [.tiny, .v2Lite] as [ModelConfiguration.Preset])
  func names(_ preset: ModelConfiguration.Preset) throws {
    let phantom = try Self.phantom(preset)
    let inventory = ParameterInventory(preset.configuration)
    var count = 0
    inventory.forEach { parameter in
      #expect(phantom.info(parameter.name)?.shape == parameter.shape)
      count += 1
    }
    #expect(phantom.tensors.count == count)
  }

  @Test("Gates differ from layer to layer and have the deviation of their width; norms are one")
  func numbers() throws {
    let phantom = try Self.phantom(.mini)
    let (first, second) = try (phantom.matrix(ParameterNames.gate(1)), phantom.matrix(ParameterNames.gate(2)))
    #expect(Self.row(first, 0) != Self.row(second, 0) && Self.row(first, 0) != Self.row(first, 1))
    let numbers = (0..<first.rows).flatMap { Self.row(first, $0) }
    let variance = numbers.reduce(0) { $0 + $1 * $1 } / Float(numbers.count)
    #expect(abs(variance * 256 - 1) < 0.05)
    #expect(try phantom.vector(ParameterNames.inputNorm(0)).allSatisfy { $0 == 1 })
  }

  @Test("The last row of the largest matrix of R1 can be read, in a few megabytes")
  func large() throws {
    let phantom = try Self.phantom(.r1)
    let head = try phantom.matrix(ParameterNames.head)
    #expect(head.rows == 129_280 && Self.row(head, head.rows - 1).contains { $0 != 0 })
    #expect(phantom.configuration.mtpLayers == 0 && phantom.configuration.quantizationBlock == nil)
  }

  @Test("A tensor's slot depends on its name alone, and slots are used evenly")
  func slots() throws {
    let phantom = try Self.phantom(.v2Lite)
    var uses = [Int](repeating: 0, count: 5)
    var places: Set<Int> = []
    for layer in 1..<27 {
      for expert in 0..<64 {
        let name = ParameterNames.expert(layer, expert).gate
        let found = try #require(try phantom.phantomMatrix(name, slots: 5))
        uses[found.place] += 1
        let copied = try #require(try phantom.phantomMatrix(name, slots: 5, copies: 3))
        #expect((0..<15).contains(copied.place) && copied.place % 5 == found.place)
        places.insert(copied.place)
        if expert == 0 { #expect(Self.row(copied.source, 0) == Self.row(found.source, 0)) }
      }
    }
    #expect(uses.allSatisfy { abs($0 - 26 * 64 / 5) < 100 }, "\(uses)")
    #expect(places.count == 15)
    let real = try Checkpoint.open(Fixtures.url("tiny-f32"))
    #expect(try !real.isPhantom && real.phantomMatrix(ParameterNames.gate(1), slots: 5) == nil)
  }

  @Test("A skew pushes most experts of a layer down, in an order of its own for each layer")
  func skew() throws {
    let even = try Self.phantom(.mini)
    let skewed = try Self.phantom(.mini, skew: 1)
    func biases(_ checkpoint: Checkpoint, _ layer: Int) throws -> [Float] {
      try checkpoint.vector(ParameterNames.gateBias(layer))
    }
    func spread(_ values: [Float]) -> Float { values.max()! - values.min()! }
    #expect(try spread(biases(even, 1)) < 0.1 && spread(biases(skewed, 1)) > 0.4)
    func order(_ layer: Int) throws -> [Int] {
      let found = try biases(skewed, layer)
      return found.indices.sorted { found[$0] > found[$1] }
    }
    #expect(try order(1) != order(2))
    #expect(throws: CheckpointError.self) { _ = try Self.phantom(.v2Lite, skew: 1) }
  }
}
