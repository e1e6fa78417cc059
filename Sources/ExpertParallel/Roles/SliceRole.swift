import DeepSeek
import Kernels

/// A rank that holds rows of the dense part: computes them for the tokens that arrive.
///
/// Event-driven like the experts: every message stands for itself.
final class SliceRole {
  private let shard: any DenseShard
  private let placement: Placement
  private let shape: WireShape
  private let exchange: any Exchange
  private let compute: Compute
  /// Seconds of its work.
  private(set) var seconds = 0.0

  init(shard: any DenseShard, placement: Placement, shape: WireShape, exchange: any Exchange, compute: Compute) {
    self.shard = shard
    self.placement = placement
    self.shape = shape
    self.exchange = exchange
    self.compute = compute
  }

  func handle(_ message: Message) throws {
    let start = Clock.seconds
    let asked = try SliceMessage(reading: message, shape: shape, of: shard.shape)
    try WireCheck(message, .slice, shape).equal(message.source, placement.coordinator, "source")
    let layer = asked.header.layer
    guard let slice = shard.shape(of: asked.part, layer: layer) else { preconditionFailure("it was asked before") }
    let tokens = asked.header.tokens
    let reply = exchange.message(capacity: SliceRowsMessage.byteCount(tokens: tokens, rows: slice.rows))
    let header = asked.header.answering(as: .sliceRows, rows: tokens)
    let rows = SliceRowsMessage(writing: reply, header: header, part: asked.part, rows: slice.rows).rows
    compute.note(asked.part.phase) { shard.apply(asked.part, layer: layer, asked.input, into: rows) }
    try exchange.send(reply, to: placement.coordinator)
    message.recycle()
    seconds += Clock.seconds - start
  }
}

extension SlicedPart {
  /// Where its time belongs.
  var phase: Phase {
    switch self {
    case .queries, .attentionOutput: .attention
    case .activations, .down: .denseFeedForward
    case .head: .head
    }
  }
}
