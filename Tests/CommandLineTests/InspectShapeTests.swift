import Foundation
import TestSupport
import Testing

@Suite("inspect without weights")
struct InspectShapeTests {
  private func placement(_ run: Run) throws -> [String: Any] {
    let json = try JSONSerialization.jsonObject(with: Data(run.output)) as! [String: Any]
    return json["placement"] as! [String: Any]
  }

  @Test("What R1's ranks hold is known before a download")
  func preset() throws {
    let arguments = ["inspect", "--like", "r1", "--placement-for", "8", "--json", "--quant"]
    let small = try Run(arguments + ["q4_K"])
    #expect(small.status == 0 && small.errors == "")
    let ranks = try placement(small)["ranks"] as! [[String: Any]]
    let bytes = ranks.reduce(0) { $0 + ($1["bytes"] as! Int) }
    // 671B parameters of 4.5 bits, buffers and finer parts on top.
    #expect((377_000_000_000..<420_000_000_000).contains(bytes))
    let large = try Run(arguments + ["auto"])
    #expect(large.status == 0 && large.errors == "")
    #expect(try placement(large)["format"] as? String == "fp8")
    let whole = (try placement(large)["ranks"] as! [[String: Any]]).reduce(0) { $0 + ($1["bytes"] as! Int) }
    #expect((690_000_000_000..<740_000_000_000).contains(whole))
  }

  @Test("The dense part that a run divides by itself is counted where it is known, else as a range")
  func division() throws {
    func ranks(_ shape: String, _ options: [String]) throws -> [(bytes: Int, most: Int?)] {
      let run = try Run(["inspect", "--like", shape, "--placement-for", "8", "--quant", "q4_K", "--json"] + options)
      let ranks = try placement(run)["ranks"] as! [[String: Any]]
      return ranks.map { ($0["bytes"] as! Int, $0["bytes_at_most"] as? Int) }
    }
    let (open, none) = (try ranks("r1", []), try ranks("r1", ["--dense-slices", "none"]))
    let all = try ranks("r1", ["--dense-slices", "all"])
    #expect(open.map(\.bytes) == none.map(\.bytes))
    #expect(open[0].most == nil && (none + all).allSatisfy { $0.most == nil })
    for rank in 1..<8 {
      // 6.75 GB: half of it where two ranks share a host, an eighth for each of eight.
      let (half, eighth) = (try #require(open[rank].most) - open[rank].bytes, all[rank].bytes - none[rank].bytes)
      #expect((3_350_000_000...3_400_000_000).contains(half) && abs(half - 4 * eighth) <= 4)
    }
    #expect(try ranks("mini", []).allSatisfy { $0.most == nil }, "too small for it")
    let table = try Run(["inspect", "--like", "r1", "--placement-for", "8", "--quant", "q4_K"])
    #expect(table.lines.contains { $0.hasSuffix("  Memory   at most") }, "\(table.text)")
    #expect(table.text.contains("the ranks of the coordinator's host divide 6.29 GiB of what it holds"))
    let exact = try Run(
      ["inspect", "--like", "r1", "--placement-for", "8", "--quant", "q4_K", "--dense-slices", "none"])
    #expect(!exact.text.contains("at most"))
  }

  @Test("A config.json alone plans as the checkpoint does", arguments: Fixtures.checkpoints)
  func configuration(_ name: String) throws {
    let folder = Fixtures.url(name).filePath
    let options = ["--placement-for", "3", "--json"]
    let real = try Run(["inspect", folder] + options)
    let like = try Run(["inspect", "--like", folder + "/config.json"] + options)
    #expect(like.status == 0 && like.errors == real.errors)
    #expect(try placement(like) as NSDictionary == placement(real) as NSDictionary)
  }

  @Test("A folder whose weights are not there yet tells what it can, and says so")
  func folder() throws {
    try withTemporaryPath { path in
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      try FileManager.default.copyItem(
        atPath: Fixtures.url("tiny-f32/config.json").filePath, toPath: path + "/config.json")
      let run = try Run(["inspect", path, "--placement-for", "2"])
      #expect(run.status == 0)
      #expect(run.errors == "note: no safetensors files in the folder: this is what config.json alone tells\n")
      #expect(run.text.contains("  481,200 in total\n") && !run.text.contains("fingerprint"))
      #expect(run.text.contains("Placement on 2 ranks, weights in f32"))
      // One file of weights makes it a checkpoint, which must be whole.
      try Data().write(to: URL(filePath: path + "/model-00001-of-00002.safetensors"))
      #expect(try Run(["inspect", path]).status == 2)
    }
  }

  @Test("Ranks without a part are one line and a note")
  func idle() throws {
    let run = try Run(["inspect", "--like", "tiny", "--placement-for", "40", "--coordinator-experts", "1"])
    #expect(run.errors == "note: 24 of 40 ranks have no experts and nothing to do: a layer has 16 experts\n")
    let rows = run.lines.filter { $0.contains(" idle") }
    #expect(rows.count == 1 && rows[0].contains(" 16-39  idle, each "))
    let large = try Run(["inspect", "--like", "bench-3b", "--placement-for", "65", "--coordinator-experts", "1"])
    #expect(large.lines.contains { $0.contains(" 64  idle or slices ") }, "\(large.text)")
    let exact = try Run(["inspect", "--like", "tiny", "--placement-for", "16", "--coordinator-experts", "1"])
    #expect(exact.errors == "" && !exact.text.contains("idle"))
  }

  @Test("The placement file of Cluster/README.md is one")
  func documentedPlacement() throws {
    let file = Fixtures.root.appending(path: "../../Cluster/README.md")
    let text = try String(contentsOf: file, encoding: .utf8)
    let json = try #require(text.split(separator: "```json\n").dropFirst().first?.split(separator: "```").first)
    try withTemporaryPath { path in
      try Data(json.utf8).write(to: URL(filePath: path))
      let run = try Run(["inspect", "--like", "v2-lite", "--placement-for", "3", "--placement", path])
      #expect(run.status == 0 && run.errors == "")
      #expect(run.lines.contains { $0.contains(" 2  experts ") && $0.contains(" 36  28-63 ") })
    }
  }

  @Test("--like and MODEL exclude each other")
  func both() throws {
    let run = try Run(["inspect", "model", "--like", "r1"])
    #expect(run.status == 2 && run.errors.hasPrefix("error: --like and MODEL exclude each other.\n"))
  }
}
