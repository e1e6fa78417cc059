import DeepSeek
import ExpertParallel
import Kernels
import Testing

/// Rows of made-up matrices: what an output is depends on its place in the whole, its part and its layer.
final class FakeSlices: DenseShard {
  static let columns = 6
  private let share: SliceShare

  init(_ share: SliceShare) { self.share = share }

  /// Of the whole matrix; the head is larger than the others.
  static func rows(_ part: SlicedPart) -> Int { part == .head ? 200 : 70 }

  func shape(of part: SlicedPart, layer: Int) -> SliceShape? {
    let rows = share.rows(of: Self.rows(part))
    return rows.isEmpty ? nil : SliceShape(columns: Self.columns, encoding: .f32, rows: rows.count)
  }

  func apply(_ part: SlicedPart, layer: Int, _ input: ProductInput, into output: ActivationRows) {
    let rows = share.rows(of: Self.rows(part))
    for token in 0..<input.count {
      for (place, row) in rows.enumerated() {
        output[token][place] = Self.output(Array(input.floats[token]), row, part, layer)
      }
    }
  }

  static func output(_ input: [Float], _ row: Int, _ part: SlicedPart, _ layer: Int) -> Float {
    input.enumerated().reduce(Float(row) * 0.25) { sum, pair in
      sum + pair.element * Float((row + 3 * pair.offset + 5 * layer + 7 * Int(part.rawValue)) % 11)
    }
  }
}

@Suite("Products of the dense part that ranks divide")
struct SliceTests {
  static let shape = WireShape(hidden: 6, experts: 8, expertsPerToken: 2, layers: 4, ranks: 4)

  private func fleet(
    slices: [Int], coordinator: Int = 0, seed: UInt64? = nil, host: String? = nil
  ) throws -> Fleet {
    let placement = try Placement.contiguous(experts: 8, ranks: 4, coordinator: coordinator)
    return Fleet(shape: Self.shape, placement: try placement.dividing(among: slices), seed: seed, host: host)
  }

  /// What the fabric gives, and the rows that it left to the coordinator.
  private func share(
    _ fleet: Fleet, _ part: SlicedPart, layer: Int, _ tokens: [[Float]]
  ) throws -> (rows: [[Float]], own: Range<Int>?) {
    let rows = FakeSlices.rows(part)
    let output = ActivationBuffer(capacity: tokens.count, columns: rows)
    var own: Range<Int>?
    try fleet.withRows(tokens) { input in
      let product = SlicedProduct(part, layer: layer, input: .f32(input), output: output.rows(tokens.count))
      try fleet.fabric.share(product) { range in
        own = range
        for (token, values) in tokens.enumerated() {
          for row in range { product.output[token][row] = FakeSlices.output(values, row, part, layer) }
        }
      }
    }
    return (withExtendedLifetime(output) { tokens.indices.map { Array(output.rows(tokens.count)[$0]) } }, own)
  }

  private func expected(_ part: SlicedPart, layer: Int, _ tokens: [[Float]]) -> [[Float]] {
    tokens.map { token in (0..<FakeSlices.rows(part)).map { FakeSlices.output(token, $0, part, layer) } }
  }

  @Test("Whoever computes which rows, over messages that are delayed and reordered: the rows of one rank")
  func sameRows() throws {
    var random = SplitMix64(11)
    for seed in 0..<UInt64(60) {
      let coordinator = Int(seed % 4)
      let slices = (0..<4).filter { _ in Bool.random(using: &random) }
      let fleet = try fleet(slices: slices, coordinator: coordinator, seed: seed)
      for part in SlicedPart.allCases {
        let tokens = randomTokens([1, 2, 32][Int(seed % 3)], 6, &random)
        let found = try share(fleet, part, layer: Int(seed % 4), tokens)
        #expect(found.rows == expected(part, layer: Int(seed % 4), tokens), "seed \(seed), \(part)")
        let others = slices.filter { $0 != coordinator }
        #expect((found.own?.count == FakeSlices.rows(part)) == others.isEmpty)
      }
    }
  }

  @Test("Between its questions and answers, experts go on")
  func besideExperts() throws {
    var random = SplitMix64(5)
    for seed in 0..<UInt64(20) {
      let fleet = try fleet(slices: [1, 2, 3], seed: seed)
      let tokens = randomTokens(3, 6, &random)
      let ticket = try fleet.dispatch(tokens, layer: 1)
      #expect(try share(fleet, .queries, layer: 2, tokens).rows == expected(.queries, layer: 2, tokens))
      #expect(fleet.equals(try fleet.combine(ticket), tokens, layer: 1))
    }
  }

  @Test("Many tokens are divided on one host while no experts run, and as many as a question takes")
  func manyTokens() throws {
    var random = SplitMix64(8)
    let tokens = randomTokens(SliceShare.mostTokensBesideExperts + 1, 6, &random)
    let far = try fleet(slices: [1, 2, 3])
    #expect(far.fabric.divides(tokens: 32) && !far.fabric.divides(tokens: 33))
    #expect(try share(far, .down, layer: 1, tokens).own == 0..<70)
    let near = try fleet(slices: [1, 2, 3], host: "here")
    let found = try share(near, .down, layer: 1, tokens)
    #expect(found.own == 0..<32 && found.rows == expected(.down, layer: 1, tokens))
    let most = randomTokens(SliceShare.mostTokens, 6, &random)
    #expect(try share(near, .queries, layer: 2, most).rows == expected(.queries, layer: 2, most))
    #expect(try share(near, .queries, layer: 2, most + most.prefix(1)).own == 0..<70)
    let ticket = try near.dispatch(tokens, layer: 1)
    #expect(near.fabric.divides(tokens: 32) && !near.fabric.divides(tokens: 33))
    #expect(near.equals(try near.combine(ticket), tokens, layer: 1))
    #expect(near.fabric.divides(tokens: 33))
    let shape = SliceShape(columns: 6, encoding: .f32, rows: 70)
    #expect(near.fabric.tokensPerQuestion(300, of: shape) == 128 && far.fabric.tokensPerQuestion(300, of: shape) == 300)
    #expect(try !fleet(slices: [], host: "here").fabric.divides(tokens: 1))
  }

  @Test("Messages that would be too large stay on the coordinator")
  func whatStays() throws {
    var random = SplitMix64(6)
    let small = WireShape(hidden: 6, experts: 8, expertsPerToken: 2, layers: 4, ranks: 4, maxMessageBytes: 900)
    let placement = try Placement.contiguous(experts: 8, ranks: 4).dividing(among: [1])
    let narrow = Fleet(shape: small, placement: placement)
    // 88 of 200 rows of the head come back, in f32 and behind 64 bytes.
    let head = SliceShape(columns: 6, encoding: .f32, rows: 200)
    #expect(narrow.fabric.tokensPerQuestion(3, of: head) == 2 && narrow.fabric.tokensPerQuestion(1, of: head) == 1)
    let three = randomTokens(3, 6, &random)
    #expect(try share(narrow, .head, layer: 0, three).own == 0..<200)
    let found = try share(narrow, .head, layer: 0, Array(three.prefix(2)))
    #expect(found.own == 0..<112 && found.rows == expected(.head, layer: 0, Array(three.prefix(2))))
    // One panel, the coordinator's.
    #expect(narrow.fabric.tokensPerQuestion(3, of: SliceShape(columns: 6, encoding: .f32, rows: 16)) == 3)
    // Not even one: alone.
    #expect(narrow.fabric.tokensPerQuestion(3, of: SliceShape(columns: 6, encoding: .f32, rows: 500)) == 3)
  }

  @Test("Shares are whole panels, cover all rows and differ by at most one panel")
  func shares() {
    for total in [1, 15, 16, 17, 70, 576, 7168, 129_280] {
      for count in 1...9 {
        let shares = (0..<count).map { SliceShare(index: $0, count: count).rows(of: total) }
        #expect(shares.flatMap { Array($0) } == Array(0..<total))
        #expect(shares.allSatisfy { $0.isEmpty || $0.lowerBound % 16 == 0 })
        let panels = shares.map { ($0.count + 15) / 16 }
        #expect(panels.max()! - panels.min()! <= 1)
      }
    }
  }

  /// The error that a tampered message of rank 2 ends in.
  private func error(_ tamper: @escaping (TamperingExchange, Message) -> [Message]) throws -> String? {
    let fleet = try fleet(slices: [1, 2, 3])
    fleet.exchanges[2].tamper = { [unowned exchange = fleet.exchanges[2]] message, rank in
      message.bytes[5] == MessageKind.sliceRows.rawValue
        ? tamper(exchange, message).map { ($0, rank) } : [(message, rank)]
    }
    var random = SplitMix64(3)
    do {
      for part in SlicedPart.allCases { _ = try share(fleet, part, layer: 1, randomTokens(2, 6, &random)) }
    } catch let error as FabricError { return error.description }
    return nil
  }

  @Test("A wrong answer ends the job with an error that names rank, field and layer")
  func wrongAnswers() throws {
    #expect(try error { [$1] } == nil)
    func change(_ offset: Int, _ value: UInt8) throws -> String? {
      try error { _, message in
        message.base.storeBytes(of: value, toByteOffset: offset, as: UInt8.self)
        return [message]
      }
    }
    let start = "rank 2 on host node2: sliceRows message from rank 2: "
    #expect(try change(12, 9) == start + "batch: expected 1, found 9 (at layer 1)")
    #expect(try change(6, 3) == start + "layer: expected 1, found 3 (at layer 1)")
    #expect(try change(32, 4) == start + "part: expected 0, found 4 (at layer 1)")
    #expect(try change(32, 5) == start + "part: expected 0 to 4, found 5 (at layer 1)")
    #expect(try change(20, 1)?.hasPrefix(start + "rows: expected 1, found 2") == true)
    #expect(
      try error { _, message in
        message.count -= 4
        return [message]
      }?.hasPrefix(start + "length: expected ") == true)
    #expect(try error { [$0.copy($1), $1] }?.hasPrefix(start + "source: expected a rank that owes rows") == true)
  }

  @Test("A rank that is lost meanwhile is named, with what was awaited")
  func lost() throws {
    let fleet = try fleet(slices: [1, 2, 3])
    fleet.exchanges[2].tamper = { [network = fleet.network] message, rank in
      guard message.bytes[5] == MessageKind.sliceRows.rawValue else { return [(message, rank)] }
      network.silence(rank: 2)
      return []
    }
    var random = SplitMix64(4)
    let error = #expect(throws: FabricError.self) { try share(fleet, .down, layer: 2, randomTokens(1, 6, &random)) }
    #expect(error?.reason == .lost && error?.rank == 2 && error?.layer == 2)
    #expect(
      error?.text == "nothing heard for 10.0 s while waiting for rows of down of 1 token from rank 2 on host node2")
  }

  @Test("A rank without these rows says so")
  func notHere() throws {
    let fleet = try fleet(slices: [1])
    let product = ActivationBuffer(capacity: 1, columns: 6)
    let exchange = fleet.network.exchange(of: 0)
    func ask(_ rank: Int, layer: Int) throws {
      let message = exchange.message(capacity: 4096)
      var header = WireHeader(.slice, epoch: 0)
      (header.layer, header.tokens, header.rows) = (layer, 1, 1)
      let asked = SlicedProduct(.down, layer: layer, input: .f32(product.rows(1)), output: product.rows(1))
      _ = SliceMessage(writing: message, header: header, asked)
      exchange.send(message, to: rank)
      while try fleet.nodes[rank].pump() {}
    }
    #expect(throws: WireError.self) { try ask(2, layer: 1) }
    #expect(throws: WireError.self) { try ask(1, layer: 4) }
    try ask(1, layer: 1)
  }
}
