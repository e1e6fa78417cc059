import ExpertParallel
import Foundation
import Testing

@Suite struct PlacementTests {
  @Test func contiguousShardsDifferByAtMostOne() throws {
    for experts in 1...40 {
      for ranks in 1...50 {
        let placement = try Placement.contiguous(experts: experts, ranks: ranks)
        let shards = (0..<ranks).map { placement.experts(of: $0) }
        #expect(shards.flatMap { $0 } == Array(0..<experts))
        let sizes = shards.map(\.count)
        #expect(sizes.max()! - sizes.min()! <= 1)
        #expect(placement.router == (ranks > 1 ? 1 : 0) && placement.coordinator == 0)
      }
    }
    #expect(try Placement.contiguous(experts: 2, ranks: 5).hosts == [0, 1])
    #expect(try Placement.striped(experts: 5, ranks: 2).owners == [0, 1, 0, 1, 0])
  }

  @Test func aCoordinatorWithItsOwnShare() throws {
    for (experts, ranks, coordinator, own) in [(32, 4, 0, 5), (32, 4, 2, 0), (7, 3, 1, 7), (5, 9, 4, 1), (6, 1, 0, 6)] {
      let placement = try Placement.contiguous(
        experts: experts, ranks: ranks, coordinator: coordinator, coordinatorExperts: own)
      let shards = (0..<ranks).map { placement.experts(of: $0) }
      #expect(shards.flatMap { $0 } == Array(0..<experts) && shards[coordinator].count == own)
      let others = shards.indices.filter { $0 != coordinator }.map { shards[$0].count }
      #expect((others.max() ?? 0) - (others.min() ?? 0) <= 1)
    }
    for own in [-1, 33] {
      #expect(throws: PlacementError.self) {
        try Placement.contiguous(experts: 32, ranks: 2, coordinator: 0, coordinatorExperts: own)
      }
    }
    let nobody = #expect(throws: PlacementError.self) {
      try Placement.contiguous(experts: 4, ranks: 1, coordinator: 0, coordinatorExperts: 3)
    }
    #expect(
      nobody?.description
        == "placement: coordinator experts: expected 4 to 4, found 3 (a layer has 4 routed experts)")
  }

  @Test func theCoordinatorTakesWhatBalancesItsOwnWork() {
    func share(_ ranks: Int, own: Double, shared: Double = 0) -> Int {
      Placement.balancedCoordinatorExperts(
        experts: 64, ranks: ranks, ownWork: own, sharedWork: shared, routedWork: 352)
    }
    // 185 + 352 * n / 64 = 352 * (64 - n) / 64 at n = 15.2; with 44 in place of 185 at 28.
    #expect(share(2, own: 185, shared: 185) == 15 && share(2, own: 185, shared: 44) == 18)
    #expect(share(2, own: 0) == 32 && share(2, own: 1000) == 0)
    #expect(share(4, own: 185) == 0 && share(1, own: 185) == 64)
  }

  @Test func rolesAreValues() throws {
    let placement = try Placement(owners: [2, 0], ranks: 3, coordinator: 2, router: 1)
    #expect((0..<3).map { placement.roles(of: $0) } == [["experts"], ["router"], ["coordinator", "experts"]])
    #expect(throws: PlacementError.self) { try Placement(owners: [0, 3], ranks: 3) }
    #expect(throws: PlacementError.self) { try Placement(owners: [0], ranks: 3, coordinator: 3) }
    #expect(throws: PlacementError.self) { try Placement(owners: [0], ranks: 3, router: -1) }
    #expect(throws: PlacementError.self) { try Placement(owners: [], ranks: 1) }
    #expect(throws: PlacementError.self) { try Placement.contiguous(experts: .max, ranks: 1) }
    #expect(throws: PlacementError.self) { try Placement.striped(experts: 4, ranks: 0) }
  }

  @Test func writtenAndReadBack() throws {
    var random = SplitMix64(2)
    for _ in 0..<200 {
      let ranks = Int.random(in: 1...9, using: &random)
      let owners = (0..<Int.random(in: 1...70, using: &random)).map { _ in Int.random(in: 0..<ranks, using: &random) }
      let placement = try Placement(
        owners: owners, ranks: ranks, coordinator: .random(in: 0..<ranks, using: &random),
        router: .random(in: 0..<ranks, using: &random))
      let back = try Placement.parse(
        Data(placement.json.utf8), file: "", ranks: ranks, experts: owners.count)
      #expect(back == placement && back.hash == placement.hash)
    }
    let one = try Placement.contiguous(experts: 16, ranks: 4)
    #expect(one.hash.count == 64)
    #expect(try one.hash != Placement.contiguous(experts: 16, ranks: 4, router: 2).hash)
    #expect(
      one.json == """
        {
          "version": 1, "experts": 16, "ranks": 4, "coordinator": 0, "router": 1,
          "hosts": [
            {"rank": 0, "experts": "0-3"},
            {"rank": 1, "experts": "4-7"},
            {"rank": 2, "experts": "8-11"},
            {"rank": 3, "experts": "12-15"}
          ]
        }

        """)
  }

  static let valid = """
    {"version": 1, "experts": 6, "ranks": 3, "coordinator": 0, "router": 1,
     "hosts": [{"rank": 2, "experts": "0-2,5"}, {"rank": 0, "experts": "3-4"}, {"rank": 1, "experts": ""}]}
    """

  @Test func theFileIsReadAsWritten() throws {
    let placement = try Placement.parse(Data(Self.valid.utf8), file: "p.json", ranks: 3, experts: 6)
    #expect(placement.owners == [2, 2, 2, 0, 0, 2])
    #expect(placement.coordinator == 0 && placement.router == 1)
  }

  @Test(arguments: [
    (
      "0-2,5", "0-3,5",
      "hosts[1].experts: expected each expert at one host, found expert 3 also at rank 2 "
        + "(several hosts for an expert (replicas) are not supported by this version)"
    ),
    (
      "0-2,5", "0-2,1,5",
      "hosts[0].experts: expected each expert at one host, found expert 1 twice "
        + "(several hosts for an expert (replicas) are not supported by this version)"
    ),
    ("0-2,5", "1-2", "hosts: expected every expert from 0 to 5 at a host, found none for experts 0,5"),
    ("0-2,5", "0-2", "hosts: expected every expert from 0 to 5 at a host, found none for expert 5"),
    ("0-2,5", "0-2,6", #"hosts[0].experts: expected experts from 0 to 5, found "6""#),
    ("0-2,5", "2-0,5", #"hosts[0].experts: expected a range that ascends, found "2-0" (ranges are first-last)"#),
    ("0-2,5", "0-,5", #"hosts[0].experts: expected a number or a range first-last, such as 0-3, found "0-""#),
    ("0-2,5", "0-2,,5", #"hosts[0].experts: expected a number or a range first-last, such as 0-3, found """#),
    ("0-2,5", "0-2-3", #"hosts[0].experts: expected a number or a range first-last, such as 0-3, found "0-2-3""#),
    ("0-2,5", "0 -2", #"hosts[0].experts: expected a number or a range first-last, such as 0-3, found "0 -2""#),
    ("0-2,5", "0-1000000000000", #"hosts[0].experts: expected experts from 0 to 5, found "0-1000000000000""#),
    (
      "0-2,5", "99999999999999999999999",
      "hosts[0].experts: expected a number or a range first-last, such as 0-3, "
        + #"found "99999999999999999999999""#
    ),
    (#""rank": 2"#, #""rank": 3"#, "hosts[0].rank: expected a number from 0 to 2, found 3"),
    (
      #""rank": 2"#, #""rank": 0"#,
      "hosts[1].rank: expected each rank once, found 0 again "
        + "(one entry per rank, with all its ranges)"
    ),
    (#""rank": 2"#, #""rank": "2""#, "hosts[0].rank: expected a number from 0 to 2, found a string"),
    (#""rank": 2"#, #""rank": 2, "cpu": 1"#, #"hosts[0]: expected the keys rank, experts, found "cpu""#),
    (#""experts": 6"#, #""experts": 8"#, "experts: expected 6, found 8 (the model decides; write a placement for it)"),
    (
      #""ranks": 3"#, #""ranks": 4"#,
      "ranks: expected 3, found 4 (the job has 3: start as many as the file is for, or write another with flotilla inspect MODEL --placement-for 3 --write-placement FILE)"
    ),
    (#""ranks": 3"#, #""ranks": 1e3"#, "ranks: expected a number from 1 to 65536, found 1e3"),
    (#""version": 1"#, #""version": 2"#, "version: expected 1, found 2 (an older or newer flotilla)"),
    (#""router": 1,"#, #""router": 7,"#, "router: expected a number from 0 to 2, found 7"),
    (#""router": 1,"#, "", "router: expected a number from 0 to 2, found nothing"),
    (
      #""router": 1,"#, #""router": 1, "speed": 2,"#,
      "placement: expected the keys version, experts, ranks, "
        + #"coordinator, router, slices, hosts, found "speed""#
    ),
    (
      #""hosts": ["#, #""hosts": 7, "x": ["#,
      "placement: expected the keys version, experts, ranks, coordinator, "
        + #"router, slices, hosts, found "x""#
    ),
  ])
  func badFilesAreRefusedByName(old: String, new: String, message: String) {
    let text = Self.valid.replacingOccurrences(of: old, with: new)
    #expect(text != Self.valid)
    let error = #expect(throws: PlacementError.self) {
      try Placement.parse(Data(text.utf8), file: "p.json", ranks: 3, experts: 6)
    }
    #expect(error?.description == "placement p.json: " + message)
  }

  @Test func mutatedFilesNeverCrash() {
    var random = SplitMix64(9)
    let bytes = Array(Self.valid.utf8)
    var refused = 0
    for _ in 0..<20_000 {
      var mutant = bytes
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let place = Int.random(in: mutant.indices, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: mutant[place] = UInt8.random(in: 0...255, using: &random)
        case 1: mutant.remove(at: place)
        default: mutant.insert(bytes.randomElement(using: &random)!, at: place)
        }
      }
      do {
        let placement = try Placement.parse(Data(mutant), file: "", ranks: 3, experts: 6)
        #expect(placement.experts == 6)
      } catch { refused += 1 }
    }
    #expect(refused > 10_000)
  }

  @Test func aFileThatIsNotThere() {
    let error = #expect(throws: PlacementError.self) {
      try Placement.load(URL(filePath: "/nonexistent/p.json"), ranks: 1, experts: 1)
    }
    #expect(error?.file == "/nonexistent/p.json" && error?.field == "file")
  }

  @Test("Ranks with slices are read, written and refused by name; a file without them leaves it to the run")
  func slices() throws {
    let bare = try Placement.contiguous(experts: 8, ranks: 4)
    #expect(!bare.decidesSlices && !bare.json.contains("slices"))
    for ranks in [[], [1], [1, 2, 3], [3, 0]] {
      let placement = try bare.dividing(among: ranks)
      let read = try Placement.parse(Data(placement.json.utf8), file: "p", ranks: 4, experts: 8)
      #expect(read == placement && read.decidesSlices && read.slices == ranks.filter { $0 != 0 }.sorted())
    }
    let file = try bare.dividing(among: [1, 2]).json
    for (text, message) in [
      ("4", "placement p: slices: expected ranks from 0 to 3, found \"4\""),
      ("1,1", "placement p: slices: expected each rank once, without the coordinator, found 1"),
      ("0-2", "placement p: slices: expected each rank once, without the coordinator, found 0"),
    ] {
      let changed = file.replacing("\"slices\": \"1-2\"", with: "\"slices\": \"\(text)\"")
      #expect(changed != file)
      let error = #expect(throws: PlacementError.self) {
        try Placement.parse(Data(changed.utf8), file: "p", ranks: 4, experts: 8)
      }
      #expect(error?.description == message)
    }
    #expect(throws: PlacementError.self) { try bare.dividing(among: [4]) }
  }
}
