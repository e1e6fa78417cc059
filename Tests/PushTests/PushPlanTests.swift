import Checkpoint
import ExpertParallel
import Foundation
import Nodes
import Push
import TestSupport
import Testing

@Suite("Push plan")
struct PushPlanTests {
  static func manifest(experts: Int, hasMTP: Bool = true) -> PreparedManifest {
    // 4096 bytes of header, then floats.
    func bundle(_ name: BundleName, _ floats: Int) -> PreparedBundle {
      PreparedBundle(
        name: name, laying: [(name: "t", layout: .rows(.f32), shape: [floats], pieceBytes: 1 << 20)])
    }
    let others = [bundle(.dense, 10_000), bundle(.gates, 400)] + (hasMTP ? [bundle(.mtp, 3000)] : [])
    return PreparedManifest(
      version: "0", formats: "f32",
      source: PreparedSource(name: "m", fingerprint: "f", sample: Digest(of: [UInt8]()), tiesEmbeddings: false),
      files: [],
      bundles: others + (0..<experts).map { bundle(.expert($0), 1000 + $0) })
  }

  private func plan(
    _ slots: [Int], experts: Int = 8, copies: Int = 1, mtp: Bool = false, order: RankOrder = .node
  ) throws -> PushPlan {
    let hosts = Hostfile(hosts: slots.enumerated().map { .init(name: "n\($0.offset)", slots: $0.element) })
    return try PushPlan(
      Placement.contiguous(experts: experts, ranks: hosts.slots), on: hosts, order: order,
      manifest: Self.manifest(experts: experts), copies: copies, includesPredictionLayers: mtp)
  }

  @Test("A node gets what its ranks read, once, and nothing else")
  func exact() throws {
    let plan = try plan([2, 1, 1])
    #expect(plan.nodes.map(\.ranks) == [[0, 3], [1], [2]])
    #expect(plan.nodes.map { BundleName.list($0.bundles) } == ["dense,0-1,6-7", "gates,2-3", "4-5"])
    #expect(plan.nodes.map(\.roles) == [["coordinator", "experts"], ["router", "experts"], ["experts"]])
    #expect(
      try self.plan([2, 1, 1], order: .slot).nodes.map { BundleName.list($0.bundles) } == [
        "dense,gates,0-3", "4-5", "6-7",
      ])
    #expect(try self.plan([2, 2], mtp: true).nodes[0].bundles.contains(.mtp))
    #expect(plan.bytes(of: plan.nodes[2].bundles) == 2 * 8096 + 4 * 9)
  }

  @Test("Two copies: each bundle on two nodes, bytes spread, the same every time")
  func copies() throws {
    for nodes in 2...6 {
      let plan = try plan([Int](repeating: 1, count: nodes), experts: 24, copies: 2)
      for bundle in [.dense, .gates] + (0..<24).map({ BundleName.expert($0) }) {
        #expect(plan.nodes.count { $0.bundles.contains(bundle) } == 2)
      }
      #expect(plan.nodes.allSatisfy { Set($0.needed).isDisjoint(with: $0.copies) })
      #expect(try plan == self.plan([Int](repeating: 1, count: nodes), experts: 24, copies: 2))
      let bytes = plan.nodes.map { plan.bytes(of: $0.bundles) }
      // The dense part is heavier than everything that could balance it; the others differ by a bundle at most.
      if nodes > 3 { #expect(bytes.sorted()[nodes - 3] - bytes.min()! <= 8200, "\(bytes)") }
    }
    let three = try plan([1, 1, 1], copies: 3)
    #expect(three.nodes.allSatisfy { BundleName.list($0.bundles) == "dense,gates,0-7" })
  }

  @Test("Copies, slots and bundles that do not fit")
  func refused() throws {
    let few = try #require(throws: PushError.self) { try plan([1, 1], copies: 3) }
    #expect(few.text == "--copies: expected 1 to 2, the number of nodes, found 3" && few.isUsage)
    let hosts = Hostfile(hosts: [.init(name: "a", slots: 3)])
    let slots = try #require(throws: PushError.self) {
      try PushPlan(
        Placement.contiguous(experts: 4, ranks: 2), on: hosts, order: .node, manifest: Self.manifest(experts: 4))
    }
    #expect(slots.text == "the placement has 2 ranks, the hostfile 3 slots" && slots.isUsage)
    let bundles = try #require(throws: PushError.self) {
      try PushPlan(
        Placement.contiguous(experts: 6, ranks: 3), on: hosts, order: .node, manifest: Self.manifest(experts: 4))
    }
    #expect(bundles.text.contains("expected the bundles 4-5, found none"))
  }

  @Test("Lists of bundles, there and back")
  func lists() {
    var random = SeededGenerator(seed: 2)
    for _ in 0..<200 {
      let all = [BundleName.dense, .gates, .mtp] + (0..<20).map { .expert($0) }
      let some = all.filter { _ in Bool.random(using: &random) }
      guard !some.isEmpty else { continue }
      #expect(BundleName.bundles(BundleName.list(some), below: 20) == some)
    }
    for text in ["", "dense,", "dense,dense", "0-3,2", "20", "3-1", "expert-001", "all", "-1"] {
      #expect(BundleName.bundles(text, below: 20) == nil, "\(text)")
    }
  }
}
