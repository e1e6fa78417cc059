import ExpertParallel
import Testing

@Suite struct HandshakeTests {
  static func agreement(_ rank: Int, checkpoint: String = "abc") -> Agreement {
    Agreement(
      [
        .init("flotilla", "0.1", hint: "install the same version everywhere"),
        .init("checkpoint", checkpoint, hint: "copy the same checkpoint to every host"),
      ], host: "node\(rank)", process: Int32(rank), threads: 2)
  }

  /// Handshakes of all ranks; `mine` is the coordinator's, the others are stepped while it waits.
  static func start(
    _ agreements: [Agreement], coordinator: Int, seed: UInt64
  ) throws -> (mine: Handshake, others: [Handshake], network: InProcessNetwork, errors: Errors) {
    let network = InProcessNetwork(ranks: agreements.count, seed: seed)
    let errors = Errors()
    let all = agreements.enumerated().map { rank, agreement in
      Handshake(
        agreement, over: network.exchange(of: rank), coordinator: coordinator, hintForLacks: "push them")
    }
    for (rank, handshake) in all.enumerated() where rank != coordinator {
      try handshake.sayHello()
      network.attach(rank: rank) {
        do { return try handshake.step() } catch {
          errors.texts[rank] = "\(error)"
          return true
        }
      }
    }
    var others = all
    return (others.remove(at: coordinator), others, network, errors)
  }

  final class Errors { var texts: [Int: String] = [:] }

  @Test func allAgreeAndGetReady() throws {
    for seed in 0..<50 as Range<UInt64> {
      let start = try Self.start((0..<5).map { Self.agreement($0) }, coordinator: Int(seed % 5), seed: seed)
      try start.mine.agree()
      #expect(start.mine.agreements.map { $0?.host } == (0..<5).map { "node\($0)" })
      for other in start.others {
        while !other.hasAgreed { _ = try other.step() }
        try other.ready()
      }
      try start.mine.ready()
      #expect(start.errors.texts.isEmpty)
    }
  }

  @Test func oneRankAgreesWithItself() throws {
    let handshake = Handshake(Self.agreement(0), over: InProcessExchange.loopback(), coordinator: 0)
    try handshake.agree()
    try handshake.ready()
    #expect(handshake.hasAgreed)
  }

  @Test func theRankThatDiffersIsNamedEverywhere() throws {
    let agreements = [Self.agreement(0), Self.agreement(1), Self.agreement(2, checkpoint: "xyz")]
    let start = try Self.start(agreements, coordinator: 0, seed: 3)
    let error = #expect(throws: FabricError.self) { try start.mine.agree() }
    let text =
      "rank 2 on host node2: differs from rank 0 on host node0 in checkpoint: expected abc, found xyz "
      + "(copy the same checkpoint to every host)"
    #expect(error?.reason == .disagreement && error?.rank == 2 && error?.description == text)
    for _ in 0..<40 { for other in start.others where start.errors.texts.count < 2 { step(other, start.errors) } }
    #expect(start.errors.texts.values.allSatisfy { $0 == "ended by the coordinator: " + text })
    #expect(start.errors.texts.count == 2)
  }

  @Test func aRankThatCannotOpenIsToldInFullAndNotAsADifference() throws {
    let text = "/models/m: " + String(repeating: "x", count: 700) + ": expected a, found b. Hint: copy it again"
    var agreements = (0..<4).map { Self.agreement($0) }
    for rank in [1, 3] {
      agreements[rank].entries.removeLast()
      agreements[rank].failure = text
    }
    let start = try Self.start(agreements, coordinator: 0, seed: 2)
    let error = #expect(throws: FabricError.self) { try start.mine.agree() }
    #expect(error?.reason == .unusable && error?.description == "rank 1 on host node1: (so on rank 3 on node3) " + text)
  }

  private func step(_ handshake: Handshake, _ errors: Errors) {
    do { _ = try handshake.step() } catch { errors.texts[errors.texts.count + 10] = "\(error)" }
  }

  @Test func aMissingOrAdditionalEntryIsADifference() throws {
    var less = Self.agreement(1)
    less.entries.removeLast()
    let first = try Self.start([Self.agreement(0), less], coordinator: 0, seed: 1)
    let error = #expect(throws: FabricError.self) { try first.mine.agree() }
    #expect(error?.text.contains("checkpoint: expected abc, found nothing") == true)
    var more = Self.agreement(1)
    more.entries.append(.init("cache", "f32", hint: ""))
    let second = try Self.start([Self.agreement(0), more], coordinator: 0, seed: 1)
    let other = #expect(throws: FabricError.self) { try second.mine.agree() }
    #expect(other?.text.contains("cache: expected nothing, found f32") == true)
  }

  @Test func whatRanksLackIsToldOfAllAtOnce() throws {
    var agreements = (0..<4).map { Self.agreement($0) }
    agreements[1].lacks = ["bundles: expected expert 4-7 (1.20 GiB) in /m, found no such files", "memory: none"]
    agreements[3].lacks = ["bundles: expected gates (0.01 GiB) in /m, found no such files"]
    let start = try Self.start(agreements, coordinator: 0, seed: 4)
    let error = #expect(throws: FabricError.self) { try start.mine.agree() }
    #expect(
      error?.description
        == "rank 1 on host node1: bundles: expected expert 4-7 (1.20 GiB) in /m, found no such files; memory: none; "
        + "rank 3 on host node3: bundles: expected gates (0.01 GiB) in /m, found no such files. Hint: push them")
    #expect(error?.reason == .unusable)
  }

  @Test func anAnnouncementReachesAllRanks() throws {
    let network = InProcessNetwork(ranks: 3, seed: 8)
    try Announcement.send(["a", "é"], over: network.exchange(of: 0))
    for rank in 1..<3 {
      #expect(try Announcement.receive([String].self, from: 0, over: network.exchange(of: rank)) == ["a", "é"])
    }
    try Announcement.send(["a"], over: network.exchange(of: 0))
    #expect(throws: FabricError.self) {
      try Announcement.receive([Int].self, from: 0, over: network.exchange(of: 1))
    }
  }

  @Test func aRankThatCannotLoadEndsTheJob() throws {
    let start = try Self.start((0..<3).map { Self.agreement($0) }, coordinator: 0, seed: 5)
    try start.mine.agree()
    try start.others[1].fail("model-2.safetensors: truncated")
    let error = #expect(throws: FabricError.self) { try start.mine.ready() }
    #expect(error?.reason == .fault && error?.rank == 2 && error?.text == "model-2.safetensors: truncated")
  }

  @Test func aSilentRankIsNamed() throws {
    let start = try Self.start((0..<3).map { Self.agreement($0) }, coordinator: 0, seed: 5)
    start.network.silence(rank: 1)
    let error = #expect(throws: FabricError.self) { try start.mine.agree() }
    #expect(error?.reason == .lost && error?.rank == 1)
    #expect(error?.text.contains("waiting for agreement") == true)
  }
}
