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
    let count = cluster.nodes.count
    title = "\(name), weights in \(formats), does not fit on \(count) node\(count == 1 ? "" : "s")"
  }

  public var text: String { PageBlock.text(blocks) }

  public func markdown(level: Int = 1) -> String { PageBlock.markdown(blocks, level: level) }

  /// What is wrong, in a sentence.
  public var summary: String {
    var parts: [String] = []
    if shortage.missingOnCoordinator > 0 {
      let name = printable(cluster.nodes[shortage.nodes[0].node].name, limit: 64)
      parts.append("the coordinator's part is \(Format.bytes(shortage.missingOnCoordinator)) too large for \(name)")
    }
    let missing = shortage.missingExperts
    if missing > 0 {
      parts.append(
        "\(missing) of \(shortage.experts) experts of every layer \(missing == 1 ? "has" : "have") no place")
    }
    if shortage.missingForBuffers > 0 {
      parts.append("buffers are \(Format.bytes(shortage.missingForBuffers)) too large for other nodes")
    }
    guard !parts.isEmpty else { return "no division of the experts over the nodes that fits" }
    return "\(Format.bytes(shortage.missingBytes)) too little: " + parts.joined(separator: ", and ")
  }

  private var blocks: [PageBlock] {
    let left = shortage.leftBytes
    return [
      .title(title), .table(table),
      .text(
        "Needs \(Format.bytes(shortage.neededBytes)), of which an expert of every layer takes "
          + "\(Format.bytes(shortage.expertBytes))\(shares). The nodes may take \(Format.bytes(shortage.capacity))"
          + (left > 0 ? ", of which \(Format.bytes(left)) are left over \(leftWhere)" : "")
          + ". That is \(summary). Experts without a place are shared out evenly over the nodes."),
    ]
  }

  private var leftWhere: String {
    shortage.spareExperts > 0 ? "where nothing is missing" : "in parts too small for an expert"
  }

  private var shares: String {
    guard let asked = shortage.denseSlices, shortage.shareBytes > 0 else { return "" }
    return ", and what ranks hold once more of the dense part \(Format.bytes(shortage.shareBytes)), since "
      + "--dense-slices \(asked.rawValue) was asked for"
  }

  private var table: TextTable {
    let hasShares = shortage.shareBytes > 0
    var table = TextTable(
      [.init("Node", .left), .init("May take"), .init("Besides experts")]
        + (hasShares ? [.init("of that shares")] : [])
        + [.init("Experts that fit"), .init("without a place"), .init("Missing")])
    func append(_ name: String, _ bytes: [Int], shares: Int, _ experts: Int, _ missing: Int, _ missingBytes: Int) {
      func cell(_ bytes: Int) -> String { bytes > 0 ? Format.bytes(bytes) : Format.none }
      table.append(
        [name] + bytes.map { Format.bytes($0) } + (hasShares ? [cell(shares)] : [])
          + ["\(experts)", missing > 0 ? "\(missing)" : Format.none, cell(missingBytes)])
    }
    for (place, node) in shortage.nodes.enumerated() {
      append(
        printable(cluster.nodes[node.node].name, limit: 40) + (place == 0 ? " (coordinator)" : ""),
        [node.capacity, node.fixedBytes], shares: node.shareBytes, node.experts, node.missingExperts,
        node.missingBytes)
    }
    append(
      "all", [shortage.capacity, shortage.nodes.reduce(0) { $0 + $1.fixedBytes }], shares: shortage.shareBytes,
      shortage.nodes.reduce(0) { $0 + $1.experts }, shortage.missingExperts, shortage.missingBytes)
    return table
  }
}
