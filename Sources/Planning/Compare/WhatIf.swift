import Inference

/// A purchase, and what a new plan with it is predicted to gain.
public struct WhatIf: Sendable {
  public enum Change: String, Sendable, CaseIterable, Codable {
    case node = "one more node"
    case memory = "twice the memory bandwidth"
    case coordinatorMemory = "twice the memory bandwidth of the coordinator's node"
    case coordinatorArithmetic = "twice the arithmetic of the coordinator's node"
    case coordinatorNetwork = "10 times the bandwidth of the coordinator's links"
    case coordinatorLatency = "half the latency of the coordinator's links"
    case arithmetic = "twice the arithmetic"
    case network = "10 times the network's bandwidth"
    case latency = "half the latency"

    /// Those that are worth a look: of the coordinator's node the one that a step of decode waits for.
    static func all(_ decode: DecodePrediction) -> [Change] {
      let own: [Change] = [.coordinatorMemory, .coordinatorArithmetic, .coordinatorNetwork, .coordinatorLatency]
      return allCases.filter { !own.contains($0) || $0 == ofCoordinator(decode) }
    }

    private static func ofCoordinator(_ decode: DecodePrediction) -> Change {
      let kinds: [Phase.Kind]
      switch decode.limit {
      case .network: return .coordinatorNetwork
      case .latency: return .coordinatorLatency
      case .hosts: kinds = [.experts]
      case .router: kinds = [.gate]
      case .coordinator, .order, .cores, .messages: kinds = [.attention, .dense, .shared, .head]
      }
      let phases = decode.phases.filter { kinds.contains($0.kind) }
      let reading = phases.reduce(0) { $0 + $1.readingSeconds }
      return phases.reduce(0) { $0 + $1.computingSeconds } > reading ? .coordinatorArithmetic : .coordinatorMemory
    }
  }

  public let change: Change
  public let prediction: Prediction

  /// All changes, the one that saves most time first.
  ///
  /// - Parameter progress: of all changes' searches together, each taken to be as long as the others.
  public static func all(
    _ plan: Plan, _ search: PlanSearch, progress: @escaping PlanSearch.Progress = { _, _ in }
  ) -> [WhatIf] {
    let coordinator = plan.layout.nodes[plan.placement.coordinator]
    let changes = Change.all(plan.prediction.decode).compactMap { change in
      plan.cluster.changed(change, coordinator: coordinator).map { (change, cluster: $0) }
    }
    return changes.enumerated().compactMap { place, changed in
      let better = try? search.on(changed.cluster).best { done, total in
        progress(place * total + done, changes.count * total)
      }
      return better.map { WhatIf(change: changed.0, prediction: $0.prediction) }
    }
    .sorted { $0.prediction.seconds < $1.prediction.seconds }
  }
}

extension ClusterDescription {
  /// Nil where it makes no sense, such as a network of one node.
  func changed(_ change: WhatIf.Change, coordinator: Int) -> ClusterDescription? {
    var cluster = self
    switch change {
    case .node: return nodes.count > 1 ? addingNode(like: nodes.count - 1) : nil
    case .memory: for index in nodes.indices { cluster.nodes[index].multiplyReading(by: 2) }
    case .coordinatorMemory:
      guard nodes.count > 1 else { return nil }
      cluster.nodes[coordinator].multiplyReading(by: 2)
    case .coordinatorArithmetic:
      guard nodes.count > 1 else { return nil }
      cluster.nodes[coordinator].multiplyArithmetic(by: 2)
    case .coordinatorNetwork:
      guard nodes.count > 1 else { return nil }
      cluster.links.bytesPerSecond = Self.linksOf(coordinator, links.bytesPerSecond) { $0 * 10 }
    case .coordinatorLatency:
      guard nodes.count > 1 else { return nil }
      cluster.links.latencySeconds = Self.linksOf(coordinator, links.latencySeconds) { $0 / 2 }
    case .arithmetic: for index in nodes.indices { cluster.nodes[index].multiplyArithmetic(by: 2) }
    case .network:
      guard nodes.count > 1 else { return nil }
      cluster.links.bytesPerSecond = links.bytesPerSecond.map { $0.map { $0 * 10 } }
    case .latency:
      guard nodes.count > 1 else { return nil }
      cluster.links.latencySeconds = links.latencySeconds.map { $0.map { $0 / 2 } }
    }
    return cluster
  }

  /// `[nodes, nodes]`, with other values for what one of them sends and receives.
  private static func linksOf(_ node: Int, _ matrix: [[Double]], _ change: (Double) -> Double) -> [[Double]] {
    matrix.indices.map { row in
      matrix[row].indices.map { row == node || $0 == node ? change(matrix[row][$0]) : matrix[row][$0] }
    }
  }

  /// One more node at the end, as fast and as well connected as one that is there.
  ///
  /// - Precondition: there are at least two.
  public func addingNode(like model: Int) -> ClusterDescription {
    precondition(nodes.count > 1)
    let other = model == 0 ? 1 : 0
    func grown(_ matrix: [[Double]]) -> [[Double]] {
      // To its model as its model is to another.
      let rows = matrix.map { $0 + [$0[model]] }
      var last = rows[model]
      last[last.count - 1] = 0
      last[model] = matrix[model][other]
      var result = rows + [last]
      result[model][result[model].count - 1] = matrix[other][model]
      return result
    }
    var cluster = self
    var node = nodes[model]
    let names = Set(nodes.map(\.name))
    node.name = (nodes.count...).lazy.map { "more\($0)" }.first { !names.contains($0) } ?? node.name
    cluster.nodes.append(node)
    cluster.links = Links(latencySeconds: grown(links.latencySeconds), bytesPerSecond: grown(links.bytesPerSecond))
    return cluster
  }

  /// One node of it, with memory for anything.
  func alone(_ node: Int) -> ClusterDescription {
    var cluster = self
    cluster.nodes = [nodes[node]]
    cluster.nodes[0].memoryBytes = .init(total: 1 << 50, available: 1 << 50)
    cluster.links = Links(latencySeconds: [[0]], bytesPerSecond: [[0]])
    return cluster
  }
}

extension ClusterDescription.Node {
  mutating func multiplyReading(by factor: Double) {
    readBytesPerSecond = readBytesPerSecond.map { $0.multiplied(by: factor) }
    products = products?.map { $0.mapped(streamed: { $0 * factor }, multiplyAdds: { $0 }) }
  }

  mutating func multiplyArithmetic(by factor: Double) {
    multiplyAddsInt8PerSecond = multiplyAddsInt8PerSecond.map { $0.multiplied(by: factor) }
    multiplyAddsF32PerSecond = multiplyAddsF32PerSecond.map { $0.multiplied(by: factor) }
    products = products?.map { $0.withArithmetic(times: factor) }
    costs = costs?.map { $0.withArithmetic(times: factor) }
  }
}

extension Calibration.ThreadSpeed {
  fileprivate func multiplied(by factor: Double) -> Calibration.ThreadSpeed {
    Calibration.ThreadSpeed(threads: threads, best: best * factor, median: median * factor)
  }
}
