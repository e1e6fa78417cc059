import ExpertParallel
import Testing

/// An exchange whose messages are tampered with as they leave.
final class TamperingExchange: Exchange {
  private let inner: InProcessExchange
  /// Nil: each rank is on a host of its own.
  private let host: String?
  /// Takes a message and its destination, returns what is really sent.
  var tamper: (Message, Int) -> [(Message, Int)] = { [($0, $1)] }

  init(_ inner: InProcessExchange, host: String? = nil) { (self.inner, self.host) = (inner, host) }

  var rank: Int { inner.rank }
  var rankCount: Int { inner.rankCount }
  var traffic: Traffic { inner.traffic }
  func message(capacity: Int) -> Message { inner.message(capacity: capacity) }
  func send(_ message: Message, to rank: Int) {
    for (message, rank) in tamper(message, rank) { inner.send(message, to: rank) }
  }
  func receive() -> Message? { inner.receive() }
  func progress() { inner.progress() }
  func idle() throws { try inner.idle() }
  func rest() throws { try inner.rest() }
  func hostName(of rank: Int) -> String { host ?? "node\(rank)" }

  func copy(_ message: Message) -> Message {
    let copy = self.message(capacity: message.count)
    copy.count = message.count
    copy.mutableBytes.copyMemory(from: message.bytes)
    return copy
  }
}

@Suite struct FaultTests {
  static let shape = WireShape(hidden: 3, experts: 12, expertsPerToken: 3, layers: 4, ranks: 4)

  /// Rank 0 coordinates, 1 routes, 2 and 3 host experts 0-5 and 6-11.
  static func fleet() throws -> Fleet {
    Fleet(
      shape: shape,
      placement: try Placement(owners: (0..<12).map { 2 + $0 / 6 }, ranks: 4, coordinator: 0, router: 1))
  }

  /// Runs layers until an error comes out of the fabric.
  static func error(
    of rank: Int, _ tamper: @escaping (TamperingExchange, Message, Int) -> [(Message, Int)]
  ) throws -> FabricError? {
    let fleet = try fleet()
    fleet.exchanges[rank].tamper = { [unowned exchange = fleet.exchanges[rank]] in tamper(exchange, $0, $1) }
    var random = SplitMix64(3)
    do {
      for layer in 1...3 { _ = try fleet.run(randomTokens(6, 3, &random), layer: layer) }
    } catch let error as FabricError { return error }
    return nil
  }

  static func kind(_ message: Message) -> UInt8 { message.bytes[5] }

  @Test func nothingTamperedNothingWrong() throws {
    #expect(try Self.error(of: 2) { [($1, $2)] } == nil)
  }

  @Test func aHostAnswersTwice() throws {
    let error = try Self.error(of: 2) { [($0.copy($1), $2), ($1, $2)] }
    #expect(
      error?.description == "rank 2 on host node2: partialSums message from rank 2: rows: expected each partial "
        + "sum once, found a second one for layer 1, token 0, slot 0 (at layer 1)")
    #expect(error?.layer == 1)
  }

  @Test func aHostNamesTheWrongToken() throws {
    let error = try Self.error(of: 3) { _, message, rank in
      // The last row's token, one less: the token before it.
      let rows = Int(message.bytes.load(fromByteOffset: 24, as: UInt32.self))
      message.base.storeBytes(of: 4, toByteOffset: 32 + 4 * (rows - 1), as: UInt32.self)
      return [(message, rank)]
    }
    #expect(error?.rank == 3 && error?.reason == .invalidMessage)
  }

  @Test func aHostAnswersForSlotsThatAreNotItsOwn() throws {
    let error = try Self.error(of: 3) { _, message, rank in
      let rows = Int(message.bytes.load(fromByteOffset: 24, as: UInt32.self))
      message.base.storeBytes(of: 0, toByteOffset: 32 + 4 * rows, as: UInt16.self)
      return [(message, rank)]
    }
    #expect(error?.rank == 3 && error?.reason == .invalidMessage)
    #expect(error?.text.contains("partialSums message from rank 3: rows: expected") == true)
  }

  @Test func aHostAnswersAnotherBatchOrLayer() throws {
    let batch = try Self.error(of: 2) { _, message, rank in
      message.base.storeBytes(of: 77, toByteOffset: 12, as: UInt32.self)
      return [(message, rank)]
    }
    #expect(batch?.text == "partialSums message from rank 2: batch: expected 0, found 77")
    let layer = try Self.error(of: 2) { _, message, rank in
      message.base.storeBytes(of: 3, toByteOffset: 6, as: UInt16.self)
      return [(message, rank)]
    }
    #expect(layer?.text == "partialSums message from rank 2: layer: expected 1, found 3")
    let tokens = try Self.error(of: 2) { _, message, rank in
      message.base.storeBytes(of: 1, toByteOffset: 16, as: UInt32.self)
      return [(message, rank)]
    }
    #expect(tokens?.text == "partialSums message from rank 2: tokens: expected 1 to 5, found 6")
  }

  @Test func aHostSendsGarbage() throws {
    let error = try Self.error(of: 3) { _, message, rank in
      for place in 0..<message.count { message.base.storeBytes(of: 0xA5, toByteOffset: place, as: UInt8.self) }
      return [(message, rank)]
    }
    #expect(
      error?.description == "rank 3 on host node3: unreadable message from rank 3: magic: expected FLOT, "
        + "found 0xa5a5a5a5 (at layer 1)")
  }

  @Test func aDispatchGoesToTheWrongHost() throws {
    let error = try Self.error(of: 1) { _, message, rank in
      [(message, Self.kind(message) == MessageKind.dispatch.rawValue ? 5 - rank : rank)]
    }
    #expect(error?.reason == .fault && error?.rank == 2)
    #expect(
      error?.text.hasPrefix(
        "dispatch message from rank 1: experts: expected experts that rank 2 holds, found expert ") == true)
  }

  @Test func aDispatchGoesToARankWithoutExperts() throws {
    let error = try Self.error(of: 1) { _, message, rank in
      [(message, Self.kind(message) == MessageKind.dispatch.rawValue ? 0 : rank)]
    }
    #expect(
      error?.text == "dispatch message from rank 1: kind: expected what rank 0 handles (it is: coordinator), "
        + "found dispatch")
  }

  @Test func theRouterSendsTheRoutingTwice() throws {
    let error = try Self.error(of: 1) { exchange, message, rank in
      Self.kind(message) == MessageKind.routing.rawValue
        ? [(exchange.copy(message), rank), (message, rank)] : [(message, rank)]
    }
    #expect(error?.text == "routing message from rank 1: tokens: expected each token routed once, found token 0 twice")
  }

  @Test func aHostThatIsNotTheRouterSendsARouting() throws {
    let error = try Self.error(of: 2) { exchange, message, rank in
      let routing = exchange.message(capacity: 4096)
      var header = WireHeader(.routing, epoch: 0)
      header.tokens = 1
      let made = RoutingMessage(writing: routing, header: header, shape: Self.shape)
      for slot in 0..<3 { made.experts[slot] = UInt16(slot) }
      return [(routing, rank), (message, rank)]
    }
    #expect(error?.text == "routing message from rank 2: source: expected 1, found 2")
  }

  @Test func aLayerWithoutExpertsIsTheRoutersToRefuse() throws {
    let fleet = try Self.fleet()
    let error = #expect(throws: FabricError.self) { try fleet.run([[1, 2, 3]], layer: 0) }
    #expect(
      error?.description == "rank 1 on host node1: activations message from rank 0: layer: expected one with "
        + "routed experts, found 0 (at layer 0)")
  }

  @Test func aSilentHostIsNamedWithWhatWasAwaited() throws {
    let fleet = try Self.fleet()
    var random = SplitMix64(3)
    _ = try fleet.run(randomTokens(17, 3, &random), layer: 1)
    fleet.network.silence(rank: 3)
    // The first idle finds the loss, before anything has come back.
    let early = #expect(throws: FabricError.self) { try fleet.run(randomTokens(17, 3, &random), layer: 3) }
    #expect(
      early?.description == "rank 3 on host in-process: nothing heard for 10.0 s while waiting for "
        + "the routing of 17 tokens from rank 1 on host node1 (at layer 3)")
    #expect(early?.reason == .lost && early?.layer == 3)
  }

  @Test func lossWhileWaitingForPartialSums() throws {
    let fleet = try Self.fleet()
    // Loses rank 3 as it answers, once the routing is there.
    fleet.exchanges[3].tamper = { [unowned network = fleet.network] message, rank in
      message.recycle()
      network.silence(rank: 3)
      return []
    }
    var random = SplitMix64(3)
    let error = #expect(throws: FabricError.self) { try fleet.run(randomTokens(17, 3, &random), layer: 2) }
    #expect(
      error?.text == "nothing heard for 10.0 s while waiting for partial sums of 17 tokens from rank 3 on host node3")
    #expect(error?.layer == 2)
  }

  @Test func aMessageThatNeverComesIsNoticedInProcess() throws {
    let fleet = try Self.fleet()
    fleet.exchanges[2].tamper = { message, _ in
      message.recycle()
      return []
    }
    #expect(throws: NetworkStalled(rank: 0)) { try fleet.run([[1, 2, 3], [5, 6, 7], [0, 1, 0]], layer: 1) }
  }

  /// As at a chat's prompt: nobody has sent anything for long, and nothing is missing.
  @Test func aCoordinatorRestsForAsLongAsItTakes() throws {
    let fleet = try Self.fleet()
    for _ in 0..<3000 { try fleet.fabric.rest() }
    _ = try fleet.run([[1, 2, 3], [5, 6, 7], [0, 1, 0]], layer: 1)
  }

  @Test func aFailedRankWaitsForTheEnd() throws {
    let fleet = try Self.fleet()
    let host = fleet.nodes[2]
    let stray = fleet.exchanges[3].message(capacity: 64)
    stray.count = 3
    fleet.exchanges[3].send(stray, to: 2)
    #expect(try host.step())
    #expect(host.failure is WireError && !host.isShutDown)
    let error = #expect(throws: FabricError.self) { try fleet.run([[1, 2, 3]], layer: 1) }
    #expect(error?.reason == .fault && error?.rank == 2)
    #expect(error?.text == "unreadable message from rank 3: length: expected at least 32 bytes, found 3")
    try fleet.fabric.shutDown()
    while try !host.isShutDown && host.step() {}
    #expect(host.isShutDown)
    #expect(throws: WireError.self) { try host.serve() }
  }
}
