import Doctor
import Foundation
import Inference
import Testing

@Suite("Redaction")
struct RedactorTests {
  private func secret() -> Examination {
    var examination = MadeUp.cluster()
    for (index, name) in ["a", "alice@gpu7.lab.example", "10.0.0.3"].enumerated() {
      examination.nodes[index].name = name
    }
    examination.nodes[1].facts?.hostName = "gpu7"
    examination.nodes[1].shell?.hostName = "gpu7"
    examination.network?.measurement?.ranks[1].hostName = "gpu7"
    examination.nodes[2].shell?.program = .init(path: "/home/alice/bin/flotilla", version: "0.1.0", hash: "00")
    examination.command = "flotilla doctor --hosts a,alice@gpu7.lab.example,10.0.0.3 --bundle /home/alice/x.json"
    examination.nodes[0].failure = .init(
      text: "ssh: connect to host gpu7.lab.example port 22: No route to host from 10.0.0.1:22", hint: "ask alice")
    return examination
  }

  @Test("No name, address, user or path is left; the same word gets the same one")
  func gone() throws {
    let surroundings = DoctorReport.Surroundings(
      hostfile: "a slots=1 # under alice's desk\ngpu7.lab.example slots=1\n", placement: nil,
      environment: ["OMPI_MCA_btl_tcp_if_include": "10.0.0.0/24", "SECRET": "x"])
    let report = try DoctorReport(secret(), surroundings: surroundings).redacted()
    let text = String(decoding: try JSONEncoder().encode(report), as: UTF8.self)
      .replacing("\\/", with: "/")
    for word in ["gpu7", "alice", "10.0.0.", "/home", "SECRET", "host0", "host2", "/models"] {
      #expect(!text.contains(word), "\(word)")
    }
    #expect(report.examination.nodes.prefix(2).map(\.name) == ["node-1", "user-1@node-2"])
    #expect(report.examination.nodes[2].name == report.examination.nodes[2].facts?.interfaces[1].addresses[0].address)
    #expect(try report == DoctorReport(secret(), surroundings: surroundings).redacted())
    #expect(report.examination.nodes[1].facts?.hostName == "node-2")
    #expect(report.surroundings?.hostfile?.hasPrefix("node-1 slots=1 # under user-1's desk\nnode-2 slots") == true)
    // Kept: what everybody has.
    #expect(text.contains("127.0.0.1") && text.contains("Made-up CPU") && text.contains("eno1"))
  }

  @Test("Findings are the same in number and grade, and no word of theirs is taken for a host")
  func findings() throws {
    let plain = DoctorReport(secret())
    let report = try plain.redacted()
    #expect(report.findings.map(\.grade) == plain.findings.map(\.grade))
    #expect(report.summary == plain.summary && report.summary.verdict == .red)
    let advice = report.findings.filter { $0.subject == .flotilla && $0.grade == .red }.map(\.advice)
    #expect(advice == plain.findings.filter { $0.subject == .flotilla && $0.grade == .red }.map(\.advice))
    // "a" is a host here, and an article in "a name".
    #expect(report.findings.allSatisfy { !$0.advice.contains("node-1 ") })
  }
}
