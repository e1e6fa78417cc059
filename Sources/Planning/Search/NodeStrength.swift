import Foundation
import Inference

/// How strong the nodes of a cluster are beside each other, in steps: what two measurements of one machine differ by is none.
package struct NodeStrength: Sendable {
  /// `[nodes]`: steps of a quarter, of reading, arithmetic and the slowest link together.
  private let steps: [Int]
  private let memory: [Int]

  package init(_ cluster: ClusterDescription) {
    memory = cluster.nodes.map { $0.memoryBytes.available >> 30 }
    steps = cluster.nodes.indices.map { index in
      let node = cluster.nodes[index]
      func best(_ speeds: [Calibration.ThreadSpeed]) -> Double { speeds.map(\.best).max() ?? 1 }
      let ports = cluster.nodes.indices.filter { $0 != index }.map { other in
        min(cluster.links.bytesPerSecond[index][other], cluster.links.bytesPerSecond[other][index])
      }
      let sorted = ports.sorted()
      // The median: one slow node does not make all others slow.
      let port = sorted.isEmpty ? 1 : max(1, sorted[sorted.count / 2])
      let speeds = [best(node.readBytesPerSecond), best(node.multiplyAddsInt8PerSecond), port]
      return Int((speeds.reduce(0) { $0 + log(max(1, $1)) } / log(1.25)).rounded())
    }
  }

  /// All nodes, the strongest first; of equal ones those with more memory.
  package var order: [Int] {
    steps.indices.sorted { (-steps[$0], -memory[$0], $0) < (-steps[$1], -memory[$1], $1) }
  }

  /// `[nodes]`: what shares in proportion to their strength would be, the cube root of the product of all three; nil where
  /// they are equal.
  func weights(_ nodes: [Int]) -> [Double]? {
    guard let most = nodes.map({ steps[$0] }).max(), nodes.contains(where: { steps[$0] != most }) else { return nil }
    return nodes.map { pow(1.25, Double(steps[$0] - most) / 3) }
  }
}
