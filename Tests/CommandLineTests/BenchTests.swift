import Foundation
import StrictJSON
import TestSupport
import Testing

@Suite("flotilla bench", .serialized)
struct BenchTests {
  /// The built-in model, without any calibration of this machine.
  private func bench(_ arguments: [String]) throws -> Run {
    try Run(
      ["bench", "-p", "8", "-n", "4", "-r", "2", "-q"] + arguments, environment: ["XDG_CACHE_HOME": "/nonexistent"])
  }

  @Test("A table with a row for each test")
  func table() throws {
    let run = try bench(["-pg", "4,2", "--parallel", "1,2", "-d", "0,10"])
    #expect(run.status == 0 && run.errors == "")
    let cells = run.lines.map { $0.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) } }
    #expect(
      cells.dropFirst(2).map { $0[5] } == [
        "pp8", "tg4", "tg4 x2", "pp4+tg2", "pp8 @ d10", "tg4 @ d10", "tg4 x2 @ d10", "pp4+tg2 @ d10",
      ])
    #expect(cells.allSatisfy { $0.count == 14 })
    #expect(cells.dropFirst(2).allSatisfy { $0[0] == "Abacus bf16" && $0[2] == "4.65M" && $0[11] == "–" })
  }

  @Test("JSON, JSON lines and CSV")
  func formats() throws {
    let rows = try StrictJSON.parse(String(decoding: try bench(["-o", "json"]).output, as: UTF8.self)).array!
    #expect(rows.map { $0["test"]?.string } == ["pp8", "tg4"])
    #expect(rows.allSatisfy { $0["samples_ts"]?.array?.count == 2 && $0["n_ranks"]?.int == 1 })
    #expect(rows[1]["weight_bytes_per_token"]!.double! > 1e6)
    let lines = try bench(["-o", "jsonl"]).lines.map { try StrictJSON.parse($0) }
    #expect(lines.map { $0["test"]?.string } == ["pp8", "tg4"])
    let csv = try bench(["-o", "csv"]).lines
    #expect(csv.count == 3 && csv[0].hasPrefix("flotilla,backend,test,"))
  }

  @Test("A kept calibration that is damaged is said, and stops nothing")
  func damagedCalibration() throws {
    try withTemporaryPath { path in
      let run = try Run(["calibrate", "-r", "2", "-t", "1"], environment: ["XDG_CACHE_HOME": path])
      #expect(run.status == 0, "\(run.errors)")
      let kept = URL(filePath: path).appending(path: "flotilla")
      for file in try FileManager.default.contentsOfDirectory(at: kept, includingPropertiesForKeys: nil) {
        try Data("{".utf8).write(to: file)
      }
      let bench = try Run(
        ["bench", "-p", "8", "-n", "0", "-r", "1", "-q", "-o", "jsonl"],
        environment: ["XDG_CACHE_HOME": path])
      #expect(bench.status == 0 && bench.errors.contains("warning: ") && bench.errors.contains("calibration-"))
      #expect(try StrictJSON.parse(bench.output)["read_limit"] == nil)
    }
  }

  @Test("A calibration gives the limits; one that is wrong is refused before anything is loaded")
  func calibration() throws {
    try withTemporaryPath { path in
      #expect(try Run(CalibrateTests.quick + ["-o", path, "-q"]).status == 0)
      let run = try bench(["-t", "1", "--calibration", path, "-o", "jsonl"])
      let row = try StrictJSON.parse(try #require(run.lines.first))
      #expect(row["read_limit"]!.double! > 0 && row["operation_limit"]!.double! > 0)
      try Data("{}".utf8).write(to: URL(filePath: path))
      let wrong = try bench(["--calibration", path])
      #expect(wrong.status == 2 && wrong.output == [])
      #expect(wrong.errors.hasPrefix("error: \(path): schema: expected 1, found nothing\nhint: "))
    }
  }

  @Test("A context that the model does not have")
  func context() throws {
    let run = try bench(["-d", "100000"])
    #expect(run.status == 2)
    #expect(run.errors.hasPrefix("error: context size of -p, -n, -d, -pg: expected 1 to "))
    #expect(run.errors.contains("\nhint: give fewer tokens; the maximum is max_position_embeddings "))
  }
}
