import Foundation
import TestSupport
import Testing

@Suite("Routing records of other models")
struct RoutingOriginTests {
  /// A record with another header, and what an error says of it.
  private static let others: [(of: String, to: String, found: String)] = [
    (#""groups":4"#, #""groups":1"#, "4 of 32 experts in 1 group, layers 1-7"),
    ("[1,2,3,4,5,6,7]", "[0,9,20,30,40,50,60]", "4 of 32 experts in 4 groups, layers 0,9,20,30,40,50,60"),
    (#""experts":32"#, #""experts":64"#, "4 of 64 experts in 4 groups, layers 1-7"),
    (#""experts_per_token":4"#, #""experts_per_token":2"#, "2 of 32 experts in 4 groups, layers 1-7"),
  ]

  private func withRun(_ body: (_ path: (String) -> String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "origin-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    func path(_ name: String) -> String { folder.appending(path: name).path(percentEncoded: false) }
    let run = try Run([
      "simulate", "mini", "--quant", "q4_K", "-p", "3", "-n", "2", "-q", "--record", path("run.jsonl"),
      "--record-routing", path("run.routing"),
    ])
    #expect(run.status == 0, "\(run.errors)")
    try body(path)
  }

  /// The header with other words; behind it nothing that would not fit.
  private func change(_ path: String, _ of: String, _ to: String, into other: String, keepsSteps: Bool = false) throws {
    let bytes = try Data(contentsOf: URL(filePath: path))
    let end = try #require(bytes.firstIndex(of: 10))
    let header = String(decoding: bytes[..<end], as: UTF8.self)
    #expect(header.contains(of), "\(header)")
    let changed = Data(header.replacing(of, with: to).utf8) + (keepsSteps ? bytes[end...] : Data([10]))
    try changed.write(to: URL(filePath: other))
  }

  @Test("plan and simulate refuse them, and name both models")
  func refused() throws {
    let cluster = Fixtures.root.appending(path: "../../Cluster/examples/8-nodes-64GB-1GbE.json")
      .path(percentEncoded: false)
    try withRun { path in
      for other in Self.others {
        try change(path("run.routing"), other.of, other.to, into: path("other.routing"))
        for command in [
          ["plan", "mini", "--cluster", cluster, "--ranks", "2", "--routing"], ["simulate", "mini", "--replay"],
          ["simulate", "mini", "--cluster", cluster, "--replay"],
        ] {
          let run = try Run(command + [path("other.routing")])
          #expect(run.status == 2 && run.errors.contains("found that of mini (\(other.found))"), "\(run.errors)")
          #expect(run.errors.contains("expected the routing of mini (4 of 32 experts in 4 groups, layers 1-7)"))
        }
      }
      let own = try Run(["plan", "mini", "--cluster", cluster, "--ranks", "2", "--routing", path("run.routing")])
      #expect(own.status == 0, "\(own.errors)")
    }
  }

  @Test("report refuses what is of no run's model, and says where only the checkpoint is another")
  func report() throws {
    try withRun { path in
      for other in Self.others.dropFirst(2) {
        try change(path("run.routing"), other.of, other.to, into: path("other.routing"))
        let run = try Run(["report", path("run.jsonl"), "--routing", path("other.routing")])
        #expect(run.status == 2, "\(run.errors)")
        #expect(run.errors.contains("expected the routing of mini (4 of 32 experts in 7 layers)"), "\(run.errors)")
        #expect(run.errors.contains("found that of mini (\(other.found))"), "\(run.errors)")
      }
      let note = "The routing is of another checkpoint than the runs"
      let own = try Run(["report", path("run.jsonl"), "--routing", path("run.routing")])
      #expect(own.status == 0 && !own.text.contains(note), "\(own.text)")
      try change(
        path("run.routing"), #""checkpoint":""#, #""checkpoint":"0f"#, into: path("other.routing"), keepsSteps: true)
      let another = try Run(["report", path("run.jsonl"), "--routing", path("other.routing")])
      #expect(another.status == 0 && another.text.contains(note + ": of mini (0f"), "\(another.errors)")
    }
  }
}
