import Inference
import Planning

/// What a cluster lacks, node by node, for people.
public struct ShortagePage {
  let shortage: Shortage
  let cluster: ClusterDescription
  let title: String

  public init(_ shortage: Shortage, on cluster: ClusterDescription, name: String, formats: String) {
    self.shortage = shortage
    self.cluster = cluster
    title = "\(name), weights in \(formats), does not fit on \(cluster.nodes.count) nodes"
  }

  public var text: String { PageBlock.text(blocks) }

  public func markdown(level: Int = 1) -> String { PageBlock.markdown(blocks, level: level) }

  /// What is missing, in a sentence.
  public var summary: String {
    var parts: [String] = []
    if shortage.missingOnCoordinator > 0 {
      let name = printable(cluster.nodes[shortage.nodes[0].node].name, limit: 64)
      parts.append("\(Format.bytes(shortage.missingOnCoordinator)) on \(name) for the coordinator's part")
    }
    if shortage.missingExperts > 0 {
      let count = shortage.missingExperts
      parts.append(
        "\(Format.bytes(count * shortage.expertBytes)) for \(count) expert\(count == 1 ? "" : "s") of every layer")
    }
    return parts.isEmpty ? "no division of the experts fits" : parts.joined(separator: " and ") + " missing"
  }

  private var blocks: [PageBlock] {
    var table = TextTable([
      .init("Node", .left), .init("May take"), .init("Besides experts"), .init("Experts that fit"), .init("Missing"),
    ])
    for (place, node) in shortage.nodes.enumerated() {
      let missing = max(0, node.fixedBytes - node.capacity)
      table.append([
        printable(cluster.nodes[node.node].name, limit: 40) + (place == 0 ? " (coordinator)" : ""),
        Format.bytes(node.capacity), Format.bytes(node.fixedBytes), "\(node.experts)",
        missing > 0 ? Format.bytes(missing) : Format.none,
      ])
    }
    return [
      .title(title), .table(table),
      .text(
        "An expert of every layer takes \(Format.bytes(shortage.expertBytes)). Missing in all: "
          + "\(Format.bytes(shortage.missingBytes)): \(summary)."),
    ]
  }
}
