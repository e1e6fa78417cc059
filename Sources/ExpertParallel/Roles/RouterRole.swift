import DeepSeek
import Kernels

/// The router: gates the tokens that arrive, sends each to the hosts of its experts, and tells the coordinator.
///
/// Event-driven: every activations message stands for itself.
final class RouterRole {
  private let gate: any TokenGate
  private let placement: Placement
  private let shape: WireShape
  private let exchange: any Exchange
  private var routing: Routing
  private var plan = DispatchPlan()
  private(set) var times = RouterTimes()
  /// The last batch of which a piece was routed, and how many of its tokens have been.
  private(set) var routed = (batch: UInt32.max, tokens: 0)

  init(gate: any TokenGate, placement: Placement, shape: WireShape, exchange: any Exchange) {
    precondition(gate.hidden == shape.hidden && gate.expertCount == shape.experts)
    precondition(gate.expertsPerToken == shape.expertsPerToken && placement.experts == shape.experts)
    self.gate = gate
    self.placement = placement
    self.shape = shape
    self.exchange = exchange
    routing = Routing(tokens: 0, expertsPerToken: shape.expertsPerToken)
  }

  /// All dispatches leave before anything else is looked at.
  func handle(_ message: Message) throws {
    let start = Clock.seconds
    let arrived = try ActivationsMessage(reading: message, shape: shape)
    try WireCheck(message, .activations, shape).equal(message.source, placement.coordinator, "source")
    guard gate.hasExperts(layer: arrived.header.layer) else {
      throw WireError(
        source: message.source, kind: .activations, field: "layer", expected: "one with routed experts",
        found: "\(arrived.header.layer)")
    }
    gate.route(
      arrived.rows, layer: arrived.header.layer, wantsLogits: arrived.header.hasLogits, into: &routing)
    let gated = Clock.seconds
    let rows = gate.encode(arrived.rows, as: shape.encoding)
    plan.fill(routing, owners: placement.owners, ranks: placement.ranks)
    for host in plan.hosts { try send(plan.entries(of: host), of: arrived.header, rows, to: host) }
    try sendRouting(arrived.header)
    message.recycle()
    if routed.batch != arrived.header.batch { routed = (arrived.header.batch, 0) }
    routed.tokens += arrived.header.tokens
    times.gate += gated - start
    times.dispatch += Clock.seconds - gated
  }

  private func send(
    _ entries: ArraySlice<DispatchPlan.Entry>, of header: WireHeader, _ rows: ProductInput, to host: Int
  ) throws {
    let message = exchange.message(
      capacity: DispatchMessage.byteCount(rows: entries.count, shape: shape))
    let dispatch = DispatchMessage(
      writing: message, header: header.answering(as: .dispatch, rows: entries.count), shape: shape)
    let k = shape.expertsPerToken
    for (row, entry) in entries.enumerated() {
      dispatch.tokens[row] = entry.token
      dispatch.slots[row] = entry.slots
      for (slot, position) in routing.slots(of: Int(entry.token)).enumerated() {
        dispatch.experts[row * k + slot] = routing.experts[position]
        dispatch.weights[row * k + slot] = entry.slots & 1 << UInt32(slot) == 0 ? 0 : routing.weights[position]
      }
      dispatch.rows.copy(row, from: rows, Int(entry.token))
    }
    try exchange.send(message, to: host)
  }

  private func sendRouting(_ header: WireHeader) throws {
    let message = exchange.message(
      capacity: RoutingMessage.byteCount(tokens: header.tokens, hasLogits: header.hasLogits, shape: shape))
    let answer = RoutingMessage(writing: message, header: header.answering(as: .routing), shape: shape)
    _ = answer.weights.update(fromContentsOf: routing.weights)
    _ = answer.experts.update(fromContentsOf: routing.experts)
    _ = answer.logits.update(fromContentsOf: routing.logits)
    try exchange.send(message, to: placement.coordinator)
  }
}

/// Seconds of the router's work.
struct RouterTimes {
  var gate = 0.0
  var dispatch = 0.0
}
