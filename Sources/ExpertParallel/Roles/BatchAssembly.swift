import DeepSeek
import Kernels

/// One dispatched batch on its way back: its routing, and the partial sums that have arrived so far.
///
/// Routing and sums come in pieces and in any order; each row is checked as soon as both are known.
final class BatchAssembly {
  private let shape: WireShape
  private let placement: Placement
  private let tree: SummationTree
  private(set) var layer = 0
  private(set) var batch: UInt32 = 0
  private(set) var tokens = 0
  var routing: Routing
  private var isRouted: [Bool] = []
  private var routedTokens = 0
  /// `[tokens, k]`, at the first slot of a subtree.
  private var arrived: [Arrival] = []
  private var rows: [UnsafeMutablePointer<Float>?] = []
  private var ends: [UInt8] = []
  private var expected: [Expectation] = []
  private var arrivedRows = 0
  private var expectedRows = 0
  /// Holds the memory that `rows` points into.
  private var messages: [Message] = []

  private struct Expectation: Equatable {
    var host: Int32 = -1
    var end: UInt8 = 0
  }
  private typealias Arrival = Expectation

  init(placement: Placement, shape: WireShape) {
    self.shape = shape
    self.placement = placement
    tree = SummationTree(experts: shape.experts)
    routing = Routing(tokens: 0, expertsPerToken: shape.expertsPerToken)
  }

  func start(layer: Int, batch: UInt32, tokens: Int, wantsLogits: Bool) {
    self.layer = layer
    self.batch = batch
    self.tokens = tokens
    routing.resize(tokens: tokens)
    if wantsLogits {
      routing.logits.append(contentsOf: repeatElement(0, count: tokens * shape.experts))
    }
    let slots = tokens * shape.expertsPerToken
    refill(&isRouted, tokens, false)
    refill(&arrived, slots, Arrival())
    refill(&expected, slots, Expectation())
    refill(&rows, slots, nil)
    refill(&ends, slots, 0)
    (routedTokens, arrivedRows, expectedRows) = (0, 0, 0)
  }

  var isRoutingComplete: Bool { routedTokens == tokens }
  /// Every row is checked, so equal numbers mean the same rows.
  var isComplete: Bool { isRoutingComplete && arrivedRows == expectedRows }

  /// The hosts from which rows are missing, as far as the routing is known, ascending.
  var awaitedHosts: [Int] {
    var hosts: Set<Int32> = []
    for position in expected.indices where expected[position].host >= 0 && rows[position] == nil {
      hosts.insert(expected[position].host)
    }
    return hosts.map(Int.init).sorted()
  }

  func take(_ message: Message, routing piece: RoutingMessage) throws {
    let check = WireCheck(message, .routing, shape)
    let first = try range(of: piece.header, check).lowerBound
    try check.equal(piece.header.hasLogits ? 1 : 0, routing.logits.isEmpty ? 0 : 1, "flags")
    let k = shape.expertsPerToken
    for token in 0..<piece.header.tokens {
      guard !isRouted[first + token] else {
        throw check.error("tokens", expected: "each token routed once", found: "token \(first + token) twice")
      }
      isRouted[first + token] = true
      for slot in 0..<k {
        routing.experts[(first + token) * k + slot] = piece.experts[token * k + slot]
        routing.weights[(first + token) * k + slot] = piece.weights[token * k + slot]
      }
      try expect(UnsafeBufferPointer(rebasing: piece.experts[token * k..<(token + 1) * k]), of: first + token)
    }
    for position in piece.logits.indices {
      routing.logits[first * shape.experts + position] = piece.logits[position]
    }
    routedTokens += piece.header.tokens
    message.recycle()
  }

  func take(_ message: Message, sums piece: PartialSumsMessage) throws {
    let check = WireCheck(message, .partialSums, shape)
    let first = try range(of: piece.header, check).lowerBound
    messages.append(message)
    for row in 0..<piece.header.rows {
      let token = first + Int(piece.tokens[row])
      let position = token * shape.expertsPerToken + Int(piece.slots[row * 2])
      guard rows[position] == nil else {
        throw check.error("rows", expected: "each partial sum once", found: "a second one \(name(position))")
      }
      rows[position] = piece.rows.base + row * piece.rows.stride
      ends[position] = UInt8(piece.slots[row * 2 + 1])
      arrived[position] = Arrival(host: Int32(message.source), end: ends[position])
      if isRouted[token] { try verify(position) }
    }
    arrivedRows += piece.header.rows
  }

  /// Adds the upper nodes of every token's tree and lets the messages go.
  func finish(into output: ActivationRows, compute: Compute) {
    let k = shape.expertsPerToken
    routing.experts.withUnsafeBufferPointer { experts in
      rows.withUnsafeBufferPointer { rows in
        ends.withUnsafeBufferPointer { ends in
          compute.forEachRow(tokens, cost: k * shape.hidden) { token in
            tree.add(
              UnsafeBufferPointer(rebasing: experts[token * k..<(token + 1) * k]), slots: 0..<k,
              rows: rows.baseAddress! + token * k, ends: ends.baseAddress! + token * k,
              columns: shape.hidden, into: output.base + token * output.stride)
          }
        }
      }
    }
    for message in messages { message.recycle() }
    messages.removeAll(keepingCapacity: true)
  }

  private func expect(_ experts: UnsafeBufferPointer<UInt16>, of token: Int) throws {
    let base = token * shape.expertsPerToken
    tree.subtrees(of: experts, owner: { placement.owners[Int(experts[$0])] }) { host, slots in
      expected[base + slots.lowerBound] = Expectation(host: Int32(host), end: UInt8(slots.upperBound))
      expectedRows += 1
    }
    for position in base..<base + shape.expertsPerToken where rows[position] != nil { try verify(position) }
  }

  private func verify(_ position: Int) throws {
    guard arrived[position] != expected[position] else { return }
    let (found, due) = (arrived[position], expected[position])
    throw WireError(
      source: Int(found.host), kind: .partialSums, field: "rows",
      expected: due.host < 0
        ? "no row \(name(position))" : "a row \(name(position)) to \(due.end - 1) from rank \(due.host)",
      found: "one \(name(position)) to \(found.end - 1)")
  }

  private func name(_ position: Int) -> String {
    let (token, slot) = position.quotientAndRemainder(dividingBy: shape.expertsPerToken)
    return "for layer \(layer), token \(token), slot \(slot)"
  }

  private func range(of header: WireHeader, _ check: WireCheck) throws -> Range<Int> {
    try check.equal(header.layer, layer, "layer")
    try check.within(header.firstToken, 0, tokens - 1, "first token")
    try check.within(header.tokens, 1, tokens - header.firstToken, "tokens")
    return header.firstToken..<header.firstToken + header.tokens
  }

  private func refill<Element>(_ array: inout [Element], _ count: Int, _ value: Element) {
    array.removeAll(keepingCapacity: true)
    array.append(contentsOf: repeatElement(value, count: count))
  }
}
