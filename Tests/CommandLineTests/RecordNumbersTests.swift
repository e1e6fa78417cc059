import Foundation
import TestSupport
import Testing

@Suite("Records with impossible numbers")
struct RecordNumbersTests {
  @Test("report leaves them out in a second, alone and beside a cluster; copies count once")
  func crafted() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "numbers-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "run.jsonl").path(percentEncoded: false)
    let run = try Run(["simulate", "mini", "--quant", "q4_K", "-p", "3", "-n", "2", "-q", "--record", file])
    #expect(run.status == 0, "\(run.errors)")
    let line = try String(contentsOfFile: file, encoding: .utf8)
    let cluster = Fixtures.root.appending(path: "../../Cluster/examples/8-nodes-64GB-1GbE.json")
      .path(percentEncoded: false)
    func report(_ text: String, _ options: [String] = []) throws -> Run {
      try Data(text.utf8).write(to: URL(filePath: file))
      return try Run(["report", file] + options, limit: 30)
    }
    let beside = ["--cluster", cluster, "--model", "mini"]
    for (changed, field) in [
      (
        line.replacing("\"prompt\":3", with: "\"prompt\":1125899906842624"),
        "tokens.prompt: expected a number from 0 to"
      ),
      (line.replacing(/"threads":\[.*?\]/, with: "\"threads\":[4611686018427387904]"), "setup.threads.0: expected"),
      (line.replacing(/"busy_seconds":[0-9.e-]+/, with: "\"busy_seconds\":-1"), "ranks.0.busy_seconds: expected"),
    ] {
      for options in [[], beside] {
        let report = try report(changed, options)
        #expect(report.status == 2 && report.errors.contains("run.jsonl: line 1: \(field)"), "\(report.errors)")
      }
    }
    let long = try report(line.replacing("\"prompt\":3", with: "\"prompt\":1099511627776"), beside)
    #expect(long.status == 2, "\(long.errors)")
    #expect(
      long.errors.contains("tokens.prompt, tokens.generated: expected at most 4096 in a sequence"), "\(long.errors)")
    let copies = try report(line + line + line)
    #expect(copies.status == 0 && copies.text.contains("2 records were copies of others and do not count."))
    #expect(copies.text.contains(#/runs +1\n/#), "\(copies.text)")
  }
}
