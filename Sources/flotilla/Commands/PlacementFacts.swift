import Checkpoint
import DeepSeek
import ExpertParallel
import Foundation
import Inference
import Kernels
import Reporting

/// What `inspect --placement-for` says: what each rank of a run would hold.
struct PlacementFacts: Encodable {
  struct Rank: Encodable {
    let rank: Int
    let roles: [String]
    /// Routed experts of every layer, as "0-3,7".
    let experts: String
    let expertCount: Int
    /// Weights and step buffers, without latent cache.
    let bytes: Int
  }

  let format: String
  let coordinator: Int
  let router: Int
  let ranks: [Rank]
  /// Of the coordinator's latent cache, all layers, for each token of a sequence.
  let cacheBytesPerToken: Int

  init(_ placement: Placement, _ configuration: ModelConfiguration, _ formats: WeightFormats) {
    let defaults = RunOptions(model: URL(filePath: ""), version: Flotilla.version)
    let plan = MemoryPlan(
      configuration: configuration, formats: formats, cacheFormat: .automatic(for: formats),
      placement: placement, prefillChunk: defaults.prefillChunk, sequences: defaults.parallel, threads: 1)
    format = formats.description
    cacheBytesPerToken = plan.cacheBytesPerPosition / defaults.parallel
    coordinator = placement.coordinator
    router = placement.router
    var held = [[Int]](repeating: [], count: placement.ranks)
    for (expert, owner) in placement.owners.enumerated() { held[owner].append(expert) }
    ranks = held.indices.map { rank in
      Rank(
        rank: rank, roles: placement.roles(of: rank), experts: ExpertRanges.text(held[rank]),
        expertCount: held[rank].count, bytes: plan.bytesWithoutCache(rank: rank))
    }
  }

  var text: String {
    var table = TextTable([
      .init("Rank"), .init("Roles", .left), .init("Experts"), .init("Which", .left), .init("Memory"),
    ])
    for rank in ranks where !rank.roles.isEmpty {
      let which = rank.experts.count > 24 ? rank.experts.prefix(23) + "…" : rank.experts[...]
      table.append([
        "\(rank.rank)", rank.roles.joined(separator: ", "), "\(rank.expertCount)", String(which),
        Format.bytes(rank.bytes),
      ])
    }
    let idle = ranks.filter(\.roles.isEmpty).map(\.rank)
    if !idle.isEmpty {
      table.append([ExpertRanges.text(idle, most: 3), "idle", "0", "", Format.bytes(0)])
    }
    let total = ranks.reduce(0) { $0 + $1.bytes }
    table.append(["all", "", "\(ranks.reduce(0) { $0 + $1.expertCount })", "", Format.bytes(total)])
    let count = "\(ranks.count) rank\(ranks.count == 1 ? "" : "s")"
    let lines =
      ["Placement on \(count), weights in \(format)", ""] + table.lines().map { "  " + $0 } + [
        "", "  Memory: weights and buffers. The coordinator's latent cache comes on top:",
        "  \(Format.bytes(cacheBytesPerToken)) for each token of a sequence.",
      ]
    return lines.joined(separator: "\n") + "\n"
  }
}
