import DeepSeek
import ExpertParallel
import Kernels

/// Chooses experts by the bits of a token's row: deterministic, and the same whoever asks.
final class FakeGate: TokenGate {
  let expertCount: Int
  let expertsPerToken: Int
  let hidden: Int

  init(_ shape: WireShape) {
    expertCount = shape.experts
    expertsPerToken = shape.expertsPerToken
    hidden = shape.hidden
  }

  func hasExperts(layer: Int) -> Bool { layer > 0 }

  func encode(_ tokens: ActivationRows, as encoding: ActivationEncoding) -> ProductInput { .f32(tokens) }

  func route(_ tokens: ActivationRows, layer: Int, wantsLogits: Bool, into routing: inout Routing) {
    routing.resize(tokens: tokens.count)
    for token in 0..<tokens.count {
      var random = SplitMix64(UInt64(tokens[token][0].bitPattern) &+ UInt64(layer) << 32)
      let ids = Array((0..<expertCount).shuffled(using: &random).prefix(expertsPerToken)).sorted()
      for (slot, id) in ids.enumerated() {
        routing.experts[token * expertsPerToken + slot] = UInt16(id)
        routing.weights[token * expertsPerToken + slot] = Float.random(in: -1...1, using: &random)
      }
      if wantsLogits {
        routing.logits += (0..<expertCount).map { _ in Float.random(in: -5...5, using: &random) }
      }
    }
  }
}

/// Nonlinear experts that differ by id and layer.
final class FakeShard: ExpertShard {
  let hidden: Int
  let encoding = ActivationEncoding.f32
  let held: Set<Int>
  private(set) var calls: [Call] = []

  struct Call: Equatable {
    var expert: Int
    var layer: Int
    var rows: Int
  }

  init(hidden: Int, held: some Sequence<Int>) {
    self.hidden = hidden
    self.held = Set(held)
  }

  func holds(expert: Int, layer: Int) -> Bool { held.contains(expert) && layer > 0 }

  func apply(_ work: ExpertRows, layer: Int) {
    guard case .f32(let input) = work.input else { preconditionFailure("f32 was asked for") }
    for group in work.groups {
      calls.append(Call(expert: group.expert, layer: layer, rows: group.rows.count))
      for row in group.rows {
        let token = Array(input[Int(work.sources[row])])
        for (column, value) in Self.output(token, group.expert, layer).enumerated() {
          work.output[row][column] = work.weights[row] * value
        }
      }
    }
  }

  static func output(_ input: [Float], _ expert: Int, _ layer: Int) -> [Float] {
    let scale = Float(expert + 1) * 0.37 + Float(layer) * 0.11
    return input.indices.map { column in
      let value = input[column] * scale
      return value / (1 + value.magnitude) + input[(column + 1) % input.count] * 0.3
    }
  }
}

/// What the fabric must equal, computed in one place and as plainly as possible.
enum Reference {
  static func routedSum(_ token: [Float], experts: [UInt16], weights: [Float], layer: Int, count: Int) -> [Float] {
    func value(_ low: Int, _ high: Int) -> [Float]? {
      if high - low == 1 {
        guard let slot = experts.firstIndex(of: UInt16(low)) else { return nil }
        return FakeShard.output(token, low, layer).map { weights[slot] * $0 }
      }
      var power = 1
      while power * 2 < high - low { power *= 2 }
      switch (value(low, low + power), value(low + power, high)) {
      case (let left?, let right?): return zip(left, right).map { $0 + $1 }
      case (let left, let right): return left ?? right
      }
    }
    return value(0, count)!
  }
}

/// Virtual ranks with fake gates and experts.
struct Fleet {
  let shape: WireShape
  let placement: Placement
  let network: InProcessNetwork
  let exchanges: [TamperingExchange]
  let nodes: [RankNode]
  let shards: [FakeShard]
  let fabric: CoordinatorFabric

  /// - Parameter host: of all ranks; nil: each has one of its own.
  init(shape: WireShape, placement: Placement, seed: UInt64? = nil, host: String? = nil) {
    self.shape = shape
    self.placement = placement
    let network = InProcessNetwork(ranks: placement.ranks, seed: seed)
    self.network = network
    let shards = (0..<placement.ranks).map {
      FakeShard(hidden: shape.hidden, held: placement.experts(of: $0))
    }
    self.shards = shards
    let exchanges = (0..<placement.ranks).map { TamperingExchange(network.exchange(of: $0), host: host) }
    self.exchanges = exchanges
    nodes = exchanges.enumerated().map { rank, exchange in
      RankNode(
        exchange: exchange, placement: placement, shape: shape,
        gate: rank == placement.router ? FakeGate(shape) : nil,
        shard: shards[rank].held.isEmpty ? nil : shards[rank],
        slices: rank == placement.coordinator ? nil : placement.share(of: rank).map(FakeSlices.init))
    }
    for node in nodes where node.exchange.rank != placement.coordinator {
      network.attach(rank: node.exchange.rank) { [unowned node] in
        try node.isShutDown ? false : node.step()
      }
    }
    fabric = CoordinatorFabric(node: nodes[placement.coordinator])
  }

  /// Sends tokens through a layer.
  func run(_ tokens: [[Float]], layer: Int) throws -> [[Float]] {
    try combine(dispatch(tokens, layer: layer))
  }

  func dispatch(_ tokens: [[Float]], layer: Int) throws -> DispatchTicket {
    try withRows(tokens) { try fabric.dispatch($0, layer: layer) }
  }

  func combine(_ ticket: consuming DispatchTicket) throws -> [[Float]] {
    let output = ActivationBuffer(capacity: ticket.tokens, columns: shape.hidden)
    let rows = output.rows(ticket.tokens)
    try fabric.combine(ticket, into: rows)
    return withExtendedLifetime(output) { (0..<rows.count).map { Array(rows[$0]) } }
  }

  func withRows<Result: ~Copyable>(
    _ tokens: [[Float]], _ body: (ActivationRows) throws -> Result
  ) rethrows -> Result {
    let buffer = ActivationBuffer(capacity: tokens.count, columns: shape.hidden)
    defer { withExtendedLifetime(buffer) {} }
    let rows = buffer.rows(tokens.count)
    for (row, token) in tokens.enumerated() { _ = rows[row].update(fromContentsOf: token) }
    return try body(rows)
  }

  func reference(_ tokens: [[Float]], layer: Int) -> [[Float]] {
    var routing = Routing(tokens: 0, expertsPerToken: shape.expertsPerToken)
    withRows(tokens) { FakeGate(shape).route($0, layer: layer, wantsLogits: false, into: &routing) }
    return tokens.indices.map { token in
      let slots = routing.slots(of: token)
      return Reference.routedSum(
        tokens[token], experts: Array(routing.experts[slots]), weights: Array(routing.weights[slots]),
        layer: layer, count: shape.experts)
    }
  }
}

extension Fleet {
  /// Whether sums have the very bits of the reference.
  func equals(_ sums: [[Float]], _ tokens: [[Float]], layer: Int) -> Bool {
    sums.map { $0.map(\.bitPattern) } == reference(tokens, layer: layer).map { $0.map(\.bitPattern) }
  }
}

func randomTokens(_ count: Int, _ hidden: Int, _ random: inout SplitMix64) -> [[Float]] {
  (0..<count).map { _ in (0..<hidden).map { _ in Float.random(in: -3...3, using: &random) } }
}
