import Doctor
import Foundation
import Reporting

/// A report for people.
struct DoctorText {
  let report: DoctorReport
  let terminal: Terminal

  private var examination: Examination { report.examination }

  var text: String {
    let parts = [title] + examination.nodes.map(node) + [common, links].compactMap(\.self) + [summary]
    return parts.joined(separator: "\n\n") + "\n"
  }

  private var title: String {
    let nodes = examination.nodes.count
    let ranks = examination.nodes.reduce(0) { $0 + $1.need.ranks.count }
    var text = "Doctor: \(nodes) node\(nodes == 1 ? "" : "s"), \(ranks) rank\(ranks == 1 ? "" : "s")"
    if let model = examination.model {
      text += ", \(printable(model.name)) in \(model.formats), contexts of \(Format.exact(model.contextSize)) tokens"
    }
    return text
  }

  private func node(_ node: Examination.Node) -> String {
    var about = ""
    if !node.need.ranks.isEmpty, examination.nodes.count > 1 {
      let ranks = node.need.ranks.map(String.init).joined(separator: ",")
      let roles = node.need.roles.isEmpty ? "" : ": \(node.need.roles.joined(separator: ", "))"
      about = "  (rank\(node.need.ranks.count == 1 ? "" : "s") \(ranks)\(roles))"
    }
    let name = terminal.styled(printable(node.name), .bold)
    return ([name + about] + lines(report.findings.filter { $0.node == node.name })).joined(separator: "\n")
  }

  private var common: String? {
    let findings = report.findings.filter { $0.node == nil }
    guard !findings.isEmpty else { return nil }
    return ([terminal.styled("All nodes", .bold)] + lines(findings)).joined(separator: "\n")
  }

  private func lines(_ findings: [Finding]) -> [String] {
    let width = 12
    return findings.flatMap { finding in
      let grade = finding.grade.rawValue
      let colored = terminal.styled(grade, style(finding.grade)) + String(repeating: " ", count: 6 - grade.count)
      let subject = finding.subject.rawValue
      let pad = String(repeating: " ", count: max(1, width - subject.count))
      let line = "  \(colored)\(subject)\(pad)\(printable(finding.text))"
      guard !finding.advice.isEmpty else { return [line] }
      return [line, "  " + String(repeating: " ", count: 6 + width) + "-> " + printable(finding.advice)]
    }
  }

  private func style(_ grade: Grade) -> Terminal.Style {
    switch grade {
    case .green: .green
    case .amber: .yellow
    case .red: .red
    }
  }

  // MARK: Links

  private var links: String? {
    guard let measurement = examination.network?.measurement, !measurement.links.isEmpty else { return nil }
    let names = examination.nodes.map { printable($0.name, limit: 20) }
    guard measurement.ranks.count == names.count else { return nil }
    var cells = names.map { _ in names.map { _ in Format.none } }
    for link in measurement.links {
      cells[link.from][link.to] = "\(Format.seconds(link.latencySeconds)) \(Self.bits(link.bytesPerSecond))"
    }
    var table = TextTable([.init("from \\ to", .left)] + names.map { .init($0) })
    for (index, name) in names.enumerated() { table.append([name] + cells[index]) }
    let title = "Links: half a round trip of 64 bytes, and bandwidth of 1 MiB in that direction (Gbit/s)"
    return ([title] + table.lines().map { "  " + $0 }).joined(separator: "\n")
  }

  private static func bits(_ bytesPerSecond: Double) -> String { Format.significant(8 * bytesPerSecond / 1e9) }

  private var summary: String {
    let summary = report.summary
    let counts = "\(summary.red) red, \(summary.amber) amber, \(summary.green) green"
    let verdict =
      switch summary.verdict {
      case .green: "ready"
      case .amber: "works; amber lines cost speed or comfort"
      case .red: "not ready: red lines first, from the top"
      }
    return "\(counts): \(terminal.styled(verdict, style(summary.verdict)))"
  }
}
