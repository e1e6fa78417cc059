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
    /// With a share of the dense part, the largest; nil where ``bytes`` is exact.
    let bytesAtMost: Int?
  }

  let format: String
  let coordinator: Int
  let router: Int
  let ranks: [Rank]
  /// Of the coordinator's latent cache, all layers, for each token of a sequence.
  let cacheBytesPerToken: Int
  /// Of the dense part, what the ranks of the coordinator's host divide by themselves; nil where the placement says who.
  let divisibleBytes: Int?

  init(_ placement: Placement, _ configuration: ModelConfiguration, _ formats: WeightFormats) {
    let defaults = RunOptions(model: URL(filePath: ""), version: Flotilla.version)
    let sizes = WeightSizes(configuration, formats)
    let plan = MemoryPlan(
      configuration: configuration, formats: formats, sizes: sizes, cacheFormat: .automatic(for: formats),
      placement: placement, prefillChunk: defaults.prefillChunk, sequences: defaults.parallel, threads: 1)
    format = formats.description
    cacheBytesPerToken = plan.cacheBytesPerPosition / defaults.parallel
    coordinator = placement.coordinator
    router = placement.router
    let mayDivide = plan.mayDivide
    divisibleBytes = mayDivide ? sizes.divisible : nil
    var held = [[Int]](repeating: [], count: placement.ranks)
    for (expert, owner) in placement.owners.enumerated() { held[owner].append(expert) }
    ranks = held.indices.map { rank in
      let bytes = plan.bytesWithoutCache(rank: rank)
      let mayShare = mayDivide && rank != placement.coordinator
      return Rank(
        rank: rank, roles: placement.roles(of: rank), experts: ExpertRanges.text(held[rank]),
        expertCount: held[rank].count, bytes: bytes, bytesAtMost: mayShare ? bytes + sizes.shareBytes(ranks: 2) : nil)
    }
  }

  var text: String {
    let count = "\(ranks.count) rank\(ranks.count == 1 ? "" : "s")"
    let lines =
      ["Placement on \(count), weights in \(format)", ""] + table.lines().map { "  " + $0 } + [
        "", "  Memory: weights and buffers. The coordinator's latent cache comes on top:",
        "  \(Format.bytes(cacheBytesPerToken)) for each token of a sequence.",
      ] + division
    return lines.joined(separator: "\n") + "\n"
  }

  private var table: TextTable {
    var table = TextTable(
      [.init("Rank"), .init("Roles", .left), .init("Experts"), .init("Which", .left), .init("Memory")]
        + (divisibleBytes == nil ? [] : [.init("at most")]))
    func append(_ cells: [String], _ bytes: Int, atMost: Int?) {
      table.append(cells + [Format.bytes(bytes)] + (divisibleBytes == nil ? [] : [Format.bytes(atMost ?? bytes)]))
    }
    for rank in ranks where !rank.roles.isEmpty {
      let which = rank.experts.count > 24 ? rank.experts.prefix(23) + "…" : rank.experts[...]
      append(
        ["\(rank.rank)", rank.roles.joined(separator: ", "), "\(rank.expertCount)", String(which)], rank.bytes,
        atMost: rank.bytesAtMost)
    }
    let idle = ranks.filter(\.roles.isEmpty)
    if let first = idle.first {
      let name = (first.bytesAtMost == nil ? "idle" : "idle or slices") + (idle.count > 1 ? ", each" : "")
      append([ExpertRanges.text(idle.map(\.rank), most: 3), name, "0", ""], first.bytes, atMost: first.bytesAtMost)
    }
    let total = ranks.reduce(0) { $0 + $1.bytes }
    append(
      ["all", "", "\(ranks.reduce(0) { $0 + $1.expertCount })", ""], total,
      atMost: divisibleBytes.map { total + $0 * (ranks.count - 1) / ranks.count })
    return table
  }

  /// Which ranks share a host shows when they run.
  private var division: [String] {
    guard let divisibleBytes else { return [] }
    return [
      "  At most: the ranks of the coordinator's host divide \(Format.bytes(divisibleBytes)) of what it holds, each its share of that",
      "  once more. Two ranks there: half. All of them there: the sum. --dense-slices all or none: exact.",
    ]
  }
}
