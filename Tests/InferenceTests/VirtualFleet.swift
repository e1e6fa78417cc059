import Checkpoint
import DeepSeek
import ExpertParallel
import Foundation
import Inference
import Kernels
import TestSupport

/// A fixture's weights, loaded once, from which any number of fleets of virtual ranks are made.
final class LoadedFixture {
  typealias Format = WeightFormat
  /// The built-in model, from the fixtures' folder.
  static let builtIn = "../../Sources/Inference/Resources/Abacus"
  let checkpoint: Checkpoint
  let configuration: ModelConfiguration
  let model: Model
  let gates: Gates
  let experts: RoutedExperts
  private let loader: WeightLoader

  init(_ name: String, format: WeightFormat = .f32, cache: CacheFormat = .f32, threads: Int = 1) throws {
    let compute = Compute(kernels: .best, threads: threads)
    checkpoint = try Checkpoint.open(Fixtures.url(name))
    loader = WeightLoader(checkpoint: checkpoint, formats: WeightFormats(format), compute: compute)
    configuration = checkpoint.configuration
    model = try loader.model(
      positions: 256,
      workspace: Workspace(
        configuration, maxRows: 240, maxAbsorbedRows: 16, maxLogits: 32, cacheFormat: cache, compute: compute))
    gates = try loader.gates()
    experts = try loader.experts(0..<configuration.routedExperts, maxTokens: 32)
  }

  /// A rank's rows of the dense part.
  func slices(_ share: SliceShare) -> any DenseShard {
    do { return try loader.slices(share) } catch { preconditionFailure("\(error)") }
  }

  /// Ranks of one process behind an exchange with seeded delays and reorderings.
  func fleet(_ placement: Placement, seed: UInt64?) -> VirtualFleet {
    VirtualFleet(self, placement, seed: seed)
  }
}

final class VirtualFleet {
  let fabric: CoordinatorFabric
  let nodes: [RankNode]

  init(_ fixture: LoadedFixture, _ placement: Placement, seed: UInt64?) {
    let network = InProcessNetwork(ranks: placement.ranks, seed: seed)
    let shape = WireShape(
      hidden: fixture.configuration.hidden, encoding: fixture.experts.encoding,
      experts: fixture.configuration.routedExperts,
      expertsPerToken: fixture.configuration.expertsPerToken, layers: fixture.configuration.layers,
      ranks: placement.ranks)
    nodes = (0..<placement.ranks).map { rank in
      let owned = Set(placement.experts(of: rank))
      return RankNode(
        exchange: network.exchange(of: rank), placement: placement, shape: shape,
        gate: rank == placement.router ? fixture.gates : nil,
        shard: owned.isEmpty ? nil : PartialShard(fixture.experts, owned),
        slices: rank == placement.coordinator ? nil : placement.share(of: rank).map(fixture.slices))
    }
    for (rank, node) in nodes.enumerated() where rank != placement.coordinator {
      network.attach(rank: rank) { try node.step() }
    }
    fabric = CoordinatorFabric(node: nodes[placement.coordinator])
    fabric.wantsLogits = true
  }
}

/// Some of the experts that are loaded.
private final class PartialShard: ExpertShard {
  private let whole: RoutedExperts
  private let held: Set<Int>

  init(_ whole: RoutedExperts, _ held: Set<Int>) {
    self.whole = whole
    self.held = held
  }

  var hidden: Int { whole.hidden }
  var encoding: ActivationEncoding { whole.encoding }
  func holds(expert: Int, layer: Int) -> Bool { held.contains(expert) && whole.holds(expert: expert, layer: layer) }
  func apply(_ work: ExpertRows, layer: Int) {
    precondition(work.groups.allSatisfy { held.contains($0.expert) }, "an expert lives elsewhere")
    whole.apply(work, layer: layer)
  }
}

extension Placement {
  /// Owners, coordinator, router and ranks with slices drawn at random.
  static func scattered(experts: Int, ranks: Int, seed: UInt64) throws -> Placement {
    var random = SplitMix64(seed)
    let placement = try Placement(
      owners: (0..<experts).map { _ in Int.random(in: 0..<ranks, using: &random) }, ranks: ranks,
      coordinator: Int.random(in: 0..<ranks, using: &random), router: Int.random(in: 0..<ranks, using: &random))
    return try placement.dividing(among: (0..<ranks).filter { _ in Bool.random(using: &random) })
  }
}
