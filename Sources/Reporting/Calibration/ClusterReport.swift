import Inference

/// A cluster description for people.
public struct ClusterReport {
  private let cluster: ClusterDescription

  public init(_ cluster: ClusterDescription) { self.cluster = cluster }

  /// Ends with a line feed.
  public var text: String {
    let parts = [nodes] + (cluster.nodes.count > 1 ? [latencies, bandwidths] + messages : [])
    return parts.map { $0.joined(separator: "\n") + "\n" }.joined(separator: "\n")
  }

  /// "Open MPI v4.1.4" of all that the library says about itself.
  private var library: String { String(cluster.transport.mpi.prefix { $0 != "," }) }

  private var nodes: [String] {
    var table = TextTable([
      .init("Node", .left), .init("Sockets"), .init("Domains"), .init("Cores"), .init("Memory"), .init("free"),
      .init("Read GB/s"), .init("f32 GMAC/s"), .init("int8 GMAC/s"), .init("Kernels", .left), .init("Interface", .left),
    ])
    for node in cluster.nodes {
      table.append([
        printable(node.name, limit: 30), "\(node.sockets)", "\(node.domains)", "\(node.cores)",
        Format.bytes(node.memoryBytes.total), Format.bytes(node.memoryBytes.available),
        Self.best(node.readBytesPerSecond), Self.best(node.multiplyAddsF32PerSecond),
        Self.best(node.multiplyAddsInt8PerSecond), printable(node.instructionSet),
        printable(node.interface ?? Format.none),
      ])
    }
    return [
      "\(cluster.nodes.count) node\(cluster.nodes.count == 1 ? "" : "s"), \(printable(library)); speeds with the best number of threads:"
    ]
      + table.lines()
  }

  private static func best(_ speeds: [Calibration.ThreadSpeed]) -> String {
    speeds.map(\.best).max().map { Format.significant($0 / 1e9) } ?? Format.none
  }

  private var latencies: [String] {
    ["Half a round trip of a short message, from row to column:"]
      + matrix(cluster.links.latencySeconds) { Format.seconds($0) }
  }

  private var bandwidths: [String] {
    ["Bandwidth in Gbit/s, from row to column:"]
      + matrix(cluster.links.bytesPerSecond) { Format.significant(8 * $0 / 1e9) }
  }

  /// What messages cost; nothing where no node tells.
  private var messages: [[String]] {
    guard cluster.nodes.contains(where: { $0.messageCost != nil }) else { return [] }
    var table = TextTable([.init("", .left), .init("sent"), .init("received")])
    for node in cluster.nodes {
      func nanoseconds(_ seconds: Double?) -> String { seconds.map { Format.significant($0 * 1e9) } ?? Format.none }
      table.append([
        printable(node.name, limit: 20), nanoseconds(node.messageCost?.secondsPerByteSent),
        nanoseconds(node.messageCost?.secondsPerByteReceived),
      ])
    }
    return [["What messages take from processors that compute, in ns a byte:"] + table.lines()]
  }

  private func matrix(_ values: [[Double]], _ text: (Double) -> String) -> [String] {
    let names = cluster.nodes.map { printable($0.name, limit: 20) }
    var table = TextTable([.init("", .left)] + names.map { .init($0) })
    for (row, name) in names.enumerated() {
      table.append([name] + names.indices.map { $0 == row ? Format.none : text(values[row][$0]) })
    }
    return table.lines()
  }
}
