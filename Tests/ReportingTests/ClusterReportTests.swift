import Foundation
import Inference
import Reporting
import TestSupport
import Testing

@Suite("A cluster description for people")
struct ClusterReportTests {
  @Test("What messages cost is shown where a node tells it")
  func messages() throws {
    let file = Fixtures.root.appending(path: "../../Cluster/examples/8-nodes-64GB-1GbE.json")
    var cluster = try ClusterDescription.load(file)
    #expect(!ClusterReport(cluster).text.contains("ns a byte"))
    cluster.nodes[1].messageCost = .init(secondsPerByteSent: 1.25e-9, secondsPerByteReceived: 3e-9)
    let lines = ClusterReport(cluster).text.split(separator: "\n").drop { !$0.contains("ns a byte") }
    #expect(lines.contains { $0.hasPrefix("node1") && $0.contains("1.25") && $0.hasSuffix("3.00") }, "\(lines)")
    #expect(lines.contains { $0.hasPrefix("node0") && $0.hasSuffix("–") })
  }
}
