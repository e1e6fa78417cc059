/// A stretch of a decode step's time, and what it is the sum of. Of one step, all layers together.
///
/// `seconds` is ``longerSeconds`` + ``lostSeconds`` + ``elementSeconds`` + ``overheadSeconds`` + ``latencySeconds`` + ``wireSeconds`` +
/// ``sharedMemorySeconds`` + ``sendingSeconds`` + ``receivingSeconds`` + ``neighbourSeconds`` - ``hiddenSeconds``.
public struct Phase: Sendable, Equatable {
  /// In the order of a layer.
  public enum Kind: String, Sendable, CaseIterable, Codable {
    /// Projections, cache, `kv_b_proj`; coordinator.
    case attention
    /// Feed-forwards of dense layers; coordinator.
    case dense = "dense layers"
    /// The tokens' rows from the coordinator to the router.
    case toRouter = "to the router"
    case gate
    /// Rows from the router to the host that the layer waits for, behind those for other hosts.
    case dispatch
    /// The host that the layer waits for.
    case experts = "busiest host"
    /// Rows back, behind those of other hosts, and adding them up.
    case combine
    /// The shared experts, as far as the routed ones do not hide them.
    case shared = "shared experts"
    case head
  }

  public let kind: Kind
  public var seconds = 0.0
  /// Read from memory, and what that takes.
  public var memoryBytes = 0.0
  public var readingSeconds = 0.0
  public var multiplyAdds = 0.0
  public var computingSeconds = 0.0
  /// Of these: in f32.
  public var floatMultiplyAdds = 0.0
  public var floatSeconds = 0.0
  /// Of reading and computing: the longer one, and what of the shorter one it does not hide, layer by layer.
  public var longerSeconds = 0.0
  public var lostSeconds = 0.0
  /// Numbers that pass through steps between products, and what that takes.
  public var elements = 0.0
  public var elementSeconds = 0.0
  /// Starting jobs, choosing experts.
  public var overheadSeconds = 0.0
  /// Messages one after the other, and their latencies.
  public var messages = 0.0
  public var latencySeconds = 0.0
  /// Of latencies: to write messages, to notice and to check them.
  public var handlingSeconds = 0.0
  /// Through a port of the network, and what that takes.
  public var wireBytes = 0.0
  public var wireSeconds = 0.0
  /// Between ranks of a node.
  public var sharedMemorySeconds = 0.0
  /// To other nodes and from them, and for how long that takes all threads of a rank from other work, beside the wire.
  public var sentBytes = 0.0
  public var sendingSeconds = 0.0
  public var receivedBytes = 0.0
  public var receivingSeconds = 0.0
  /// For other ranks of the same node, which share its memory and cores.
  public var neighbourSeconds = 0.0
  /// Of all that, what goes on while something longer does: to be taken off.
  public var hiddenSeconds = 0.0

  init(_ kind: Kind) { self.kind = kind }

  /// Work on one rank.
  init(_ kind: Kind, _ work: Work, rows: Int, _ time: RooflineTime) {
    self.kind = kind
    seconds = time.seconds
    memoryBytes = work.bytes
    readingSeconds = time.reading
    multiplyAdds = Double(rows) * work.multiplyAdds.sum
    computingSeconds = time.computing
    floatMultiplyAdds = Double(rows) * work.multiplyAdds.float
    floatSeconds = time.floating
    longerSeconds = max(time.reading, time.computing)
    lostSeconds = time.lost
    elements = Double(rows) * (work.elements.count + work.tiledElements.count)
    elementSeconds = time.elementwise
    overheadSeconds = time.starting
  }

  /// For how long messages take a rank's threads from other work.
  public var carryingSeconds: Double { sendingSeconds + receivingSeconds }

  /// What the longer of all reading and of all computing does not hide.
  public var unhiddenSeconds: Double { lostSeconds + longerSeconds - max(readingSeconds, computingSeconds) }

  /// Work on one rank.
  mutating func add(_ work: Work, rows: Int, _ time: RooflineTime, times: Double = 1) {
    add(Phase(kind, work, rows: rows, time), times: times)
  }

  /// All of `other` so many times, in a part of the time that it takes by itself.
  mutating func add(_ other: Phase, times: Double, inPart part: Double = 1) {
    let lasting = times * part
    seconds += other.seconds * lasting
    memoryBytes += other.memoryBytes * times
    readingSeconds += other.readingSeconds * lasting
    multiplyAdds += other.multiplyAdds * times
    computingSeconds += other.computingSeconds * lasting
    floatMultiplyAdds += other.floatMultiplyAdds * times
    floatSeconds += other.floatSeconds * lasting
    longerSeconds += other.longerSeconds * lasting
    lostSeconds += other.lostSeconds * lasting
    elements += other.elements * times
    elementSeconds += other.elementSeconds * lasting
    overheadSeconds += other.overheadSeconds * lasting
    messages += other.messages * times
    latencySeconds += other.latencySeconds * lasting
    handlingSeconds += other.handlingSeconds * lasting
    wireBytes += other.wireBytes * times
    wireSeconds += other.wireSeconds * lasting
    sharedMemorySeconds += other.sharedMemorySeconds * lasting
    sentBytes += other.sentBytes * times
    sendingSeconds += other.sendingSeconds * lasting
    receivedBytes += other.receivedBytes * times
    receivingSeconds += other.receivingSeconds * lasting
    neighbourSeconds += other.neighbourSeconds * lasting
    hiddenSeconds += other.hiddenSeconds * lasting
  }
}

/// What a run waits for most.
public enum Limit: String, Sendable, CaseIterable, Codable {
  case coordinator = "the coordinator's dense part"
  case router = "the router's gates"
  case hosts = "the busiest host's experts"
  case network = "the bandwidth of the network"
  case latency = "the latency of messages"
  /// Of a prompt: the steps of a layer, one after the other.
  case order = "steps that cannot overlap"
  /// Of a prompt: what the ranks of a node share.
  case cores = "the cores of a node that its ranks share"
  /// Of a prompt: work of the processors for messages between nodes, beside the wire.
  case messages = "what messages take from the processors"
}
