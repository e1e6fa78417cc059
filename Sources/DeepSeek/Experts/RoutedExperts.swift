import Kernels

/// The routed experts that a rank hosts, of every layer.
public final class RoutedExperts: ExpertShard {
  public let hidden: Int
  public let encoding: ActivationEncoding
  /// Weights in the experts held.
  public let parameters: Int
  /// Bytes of the experts held.
  public let bytes: Int
  /// `[layers][experts]`; nil where another rank hosts the expert.
  private let experts: [[FeedForward?]]
  /// The same for tiles, side by side: the matrices lie anywhere, and each would be a line of memory to fetch.
  private let panels: [[FeedForwardPanels?]]
  private let intermediate: Int
  private let compute: Compute
  private var networks: GroupedFeedForward
  /// The token rows of all experts, side by side.
  private var gathered: RowStore
  private var groups: [GroupedFeedForward.Group] = []

  /// - Parameters:
  ///   - encoding: what all experts take; `dispatch` sends rows so.
  ///   - rows: rows that one call will have at most; more make the buffers grow.
  init(
    experts: [[FeedForward?]], hidden: Int, intermediate: Int, encoding: ActivationEncoding, rows: Int,
    compute: Compute
  ) {
    self.experts = experts
    panels = experts.map { $0.map { $0.map(FeedForwardPanels.init) } }
    self.hidden = hidden
    self.encoding = encoding
    self.intermediate = intermediate
    self.compute = compute
    let held = experts.joined().compactMap { $0 }
    precondition(held.allSatisfy { $0.encoding == encoding })
    parameters = held.reduce(0) { $0 + $1.parameters }
    bytes = held.reduce(0) { $0 + $1.bytes }
    networks = GroupedFeedForward(capacity: rows, widest: intermediate, compute: compute)
    gathered = RowStore(encoding, capacity: rows, columns: hidden)
  }

  public func holds(expert: Int, layer: Int) -> Bool {
    panels.indices.contains(layer) && panels[layer].indices.contains(expert) && panels[layer][expert] != nil
  }

  public func apply(_ work: ExpertRows, layer: Int) {
    groups.removeAll(keepingCapacity: true)
    for group in work.groups {
      guard let network = panels[layer][group.expert] else {
        preconditionFailure("expert \(group.expert) of layer \(layer) is not on this rank")
      }
      groups.append(.init(network: network, rows: group.rows))
    }
    makeRoom(for: work.output.count)
    let input = gathered.rows(work.output.count)
    compute.forEachRow(input.count, cost: encoding.rowBytes(columns: hidden) / 4) { row in
      input.copy(row, from: work.input, Int(work.sources[row]))
    }
    groups.withUnsafeBufferPointer {
      networks($0, input: input, factors: work.weights.baseAddress, into: work.output)
    }
  }

  private func makeRoom(for rows: Int) {
    guard rows > networks.capacity else { return }
    let capacity = max(rows, 2 * networks.capacity)
    networks = GroupedFeedForward(capacity: capacity, widest: intermediate, compute: compute)
    gathered = RowStore(encoding, capacity: capacity, columns: hidden)
  }
}
