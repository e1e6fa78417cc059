import DeepSeek
import Kernels

/// An expert host: runs the tokens that arrive through the experts asked for, and answers the coordinator with
/// one row for each maximal subtree of the summation tree whose chosen experts all live here.
///
/// Event-driven: takes whichever dispatch arrives, of any layer and batch.
final class ExpertHostRole {
  private let shard: any ExpertShard
  private let placement: Placement
  private let shape: WireShape
  private let exchange: any Exchange
  private let tree: SummationTree
  private let compute: Compute
  private var groups = ExpertGroups()
  /// The weighted outputs of all experts of a dispatch, `[rows of groups, hidden]`.
  private var weighted: ActivationBuffer
  private var subtrees: [Subtree] = []
  private(set) var work: ExpertWork
  /// Pairs of layer and expert whose weights are here.
  let held: Int

  private struct Subtree {
    var row: Int
    var slots: Range<Int>
  }

  init(
    shard: any ExpertShard, placement: Placement, shape: WireShape, exchange: any Exchange, compute: Compute
  ) {
    precondition(shard.hidden == shape.hidden && placement.experts == shape.experts)
    precondition(shard.encoding == shape.encoding)
    self.compute = compute
    self.shard = shard
    self.placement = placement
    self.shape = shape
    self.exchange = exchange
    tree = SummationTree(experts: shape.experts)
    weighted = ActivationBuffer(capacity: shape.expertsPerToken, columns: shape.hidden)
    work = ExpertWork(layers: shape.layers, experts: shape.experts)
    held = (0..<shape.layers).reduce(0) { sum, layer in
      sum + (0..<shape.experts).count { shard.holds(expert: $0, layer: layer) }
    }
  }

  func handle(_ message: Message) throws {
    let start = Clock.seconds
    let dispatch = try DispatchMessage(reading: message, shape: shape)
    try WireCheck(message, .dispatch, shape).equal(message.source, placement.router, "source")
    groups.fill(dispatch, experts: shape.experts)
    try checkHeld(dispatch.header)
    makeRoom(for: groups.rowCount)
    run(dispatch)
    try answer(dispatch)
    message.recycle()
    work.seconds += Clock.seconds - start
  }

  /// Runs every expert that is asked for over all of its rows.
  private func run(_ dispatch: DispatchMessage) {
    let layer = dispatch.header.layer
    groups.entries.withUnsafeBufferPointer { entries in
      groups.weights.withUnsafeBufferPointer { weights in
        shard.apply(
          ExpertRows(
            groups: groups.experts, input: dispatch.rows, sources: entries, weights: weights,
            output: weighted.rows(groups.rowCount)),
          layer: layer)
      }
    }
    for group in groups.experts { work.count(expert: group.expert, layer: layer, rows: group.rows.count) }
  }

  /// Adds up what lives here and sends it, in as many messages as it takes.
  private func answer(_ dispatch: DispatchMessage) throws {
    subtrees.removeAll(keepingCapacity: true)
    for row in 0..<dispatch.header.rows {
      let asked = dispatch.slots[row]
      tree.subtrees(of: dispatch.experts(of: row), owner: { Int(asked >> UInt32($0) & 1) }) { isHere, slots in
        if isHere == 1 { subtrees.append(Subtree(row: row, slots: slots)) }
      }
    }
    for first in stride(from: 0, to: subtrees.count, by: shape.maxRowsPerMessage) {
      try send(subtrees[first..<min(first + shape.maxRowsPerMessage, subtrees.count)], of: dispatch)
    }
  }

  private func send(_ sums: ArraySlice<Subtree>, of dispatch: DispatchMessage) throws {
    let message = exchange.message(capacity: PartialSumsMessage.byteCount(rows: sums.count, shape: shape))
    let reply = PartialSumsMessage(
      writing: message, header: dispatch.header.answering(as: .partialSums, rows: sums.count), shape: shape)
    let rows = weighted.rows(groups.rowCount)
    compute.forEachRow(sums.count, cost: shape.expertsPerToken * shape.hidden) { place in
      add(sums[sums.startIndex + place], of: dispatch, rows, into: reply, place)
    }
    try exchange.send(message, to: placement.coordinator)
  }

  /// The sum of one subtree's rows, into row `place` of the reply.
  private func add(
    _ sum: Subtree, of dispatch: DispatchMessage, _ rows: ActivationRows, into reply: PartialSumsMessage, _ place: Int
  ) {
    reply.tokens[place] = dispatch.tokens[sum.row]
    reply.slots[place * 2] = UInt16(sum.slots.lowerBound)
    reply.slots[place * 2 + 1] = UInt16(sum.slots.upperBound)
    withUnsafeTemporaryAllocation(
      of: UnsafeMutablePointer<Float>?.self, capacity: shape.expertsPerToken
    ) { rowOfSlot in
      for slot in sum.slots {
        let row = Int(groups.rowOfSlot[sum.row * shape.expertsPerToken + slot])
        rowOfSlot.initializeElement(at: slot, to: rows.base + row * rows.stride)
      }
      tree.add(
        dispatch.experts(of: sum.row), slots: sum.slots, rows: rowOfSlot.baseAddress!, ends: nil,
        columns: shape.hidden, into: reply.rows.base + place * reply.rows.stride)
    }
  }

  private func checkHeld(_ header: WireHeader) throws {
    for group in groups.experts where !shard.holds(expert: group.expert, layer: header.layer) {
      throw WireError(
        source: placement.router, kind: .dispatch, field: "experts",
        expected: "experts that rank \(exchange.rank) holds", found: "expert \(group.expert) of layer \(header.layer)")
    }
  }

  private func makeRoom(for rows: Int) {
    guard rows > weighted.capacity else { return }
    weighted = ActivationBuffer(capacity: max(rows, weighted.capacity * 2), columns: shape.hidden)
  }
}

/// What a host has computed so far.
struct ExpertWork {
  private(set) var rows = 0
  private(set) var rowsByLayer: [Int]
  var seconds = 0.0
  /// `[layers, experts]`: whether it has ever run.
  private var isActivated: [Bool]
  private let experts: Int

  init(layers: Int, experts: Int) {
    self.experts = experts
    rowsByLayer = Array(repeating: 0, count: layers)
    isActivated = Array(repeating: false, count: layers * experts)
  }

  mutating func count(expert: Int, layer: Int, rows: Int) {
    self.rows += rows
    rowsByLayer[layer] += rows
    isActivated[layer * experts + expert] = true
  }

  /// Distinct (layer, expert) pairs that have run.
  var pairs: Int { isActivated.count { $0 } }
  /// Distinct expert ids that have run in any layer.
  var ids: Int {
    (0..<experts).count { expert in
      stride(from: expert, to: isActivated.count, by: experts).contains { isActivated[$0] }
    }
  }
}
