import Foundation
import Inference
import Reporting
import StrictJSON
import Testing

private let setup = BenchSetup(
  model: "made \"up\"", checkpoint: "c0ffee", format: "q4_K", parameters: 3_100_000_000, weightBytes: 1 << 30,
  instructionSet: "avx2", hosts: ["a", "a"], threads: [2, 2], prefillChunk: 512)

/// Two repetitions of 10 tokens: 1 and 2 seconds.
private func result(_ test: BenchTest) -> BenchResult {
  BenchResult(
    test: test, seconds: [1, 2], firstTokenSeconds: test.prompt > 0 ? [0.1, 0.2] : [],
    tokenSeconds: test.generated > 0 ? [0.01, 0.03] : [], weightBytes: 6_000_000_000, cacheBytes: 3_000_000_000,
    multiplyAdds: 12_000_000_000, integerMultiplyAdds: 12_000_000_000)
}

private func row(
  _ test: BenchTest = BenchTest(prompt: 0, generated: 10, depth: 5), limits: BenchLimits = BenchLimits()
) -> BenchRow {
  BenchRow(
    result(test), setup, limits, cpu: "CPU, fast", version: "1.2.3", date: Date(timeIntervalSince1970: 1_700_000_000))
}

@Suite("Bench rows")
struct BenchRowTests {
  @Test("Means, deviations, percentiles and speeds are worked out from the samples")
  func numbers() {
    let row = row()
    #expect(row.test == "tg10 @ d5" && row.threads == 4 && row.ranks == 2)
    #expect(row.samplesNanoseconds == [1_000_000_000, 2_000_000_000] && row.averageNanoseconds == 1_500_000_000)
    #expect(row.samplesTokensPerSecond == [10, 5] && row.averageTokensPerSecond == 7.5)
    #expect(abs(row.deviationTokensPerSecond - 12.5.squareRoot()) < 1e-12)
    #expect(row.firstTokenP50 == nil && abs(row.tokenP50! - 0.02) < 1e-12)
    #expect(row.weightBytesPerToken == 3e8 && row.cacheBytesPerToken == 1.5e8)
    #expect(row.bytesPerSecond == 3e9 && row.operationsPerSecond == 8e9)
    #expect(row.readLimit == nil && row.operationLimit == nil)
  }

  @Test("The table: shares of the limits where they are known")
  func markdown() throws {
    let limits = BenchLimits(readBytesPerSecond: 4e9, multiplyAddsInt8PerSecond: 40e9)
    let lines = (BenchFormat.md.opening() + (try BenchFormat.md.text(row(limits: limits), isFirst: true)))
      .split(separator: "\n")
    #expect(lines.count == 3)
    #expect(Set(lines.map(\.count)).count == 1, "columns are aligned")
    let cells = lines.map { $0.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) } }
    #expect(
      cells[0] == [
        "model", "size", "params", "backend", "threads", "test", "t/s", "first token ms p50 / p99",
        "per token ms p50 / p99", "MB/token", "GB/s", "of read", "GOP/s", "of peak",
      ])
    #expect(cells[1].allSatisfy { $0.drop { $0 == "-" } == "" || $0.drop { $0 == "-" } == ":" })
    #expect(
      cells[2] == [
        "made \"up\" q4_K", "1.00 GiB", "3.10B", "avx2", "2 x 2", "tg10 @ d5", "7.50 ± 3.54", "–", "20.0 / 29.8", "450",
        "3.00", "75.0 %", "8.00", "10.0 %",
      ])
    #expect(try BenchFormat.md.text(row(), isFirst: false).contains("|       – |   8.00 |       – |"))
  }

  @Test("A narrow terminal: what rows share once, and as many columns as fit", arguments: [20, 60, 80, 120, 150])
  func narrow(_ width: Int) throws {
    let rows = [row(), row(BenchTest(prompt: 512, generated: 128, depth: 8192))]
    let text = try rows.enumerated().map { try BenchFormat.md.text($1, isFirst: $0 == 0, width: width) }.joined()
    let lines = text.split(separator: "\n")
    #expect(BenchFormat.md.opening(width: width) == "")
    #expect(lines[0] == "made \"up\" q4_K, 1.00 GiB, 3.10B parameters, avx2, 2 x 2 threads")
    let table = lines.suffix(3)
    #expect(table.allSatisfy { $0.count <= max(width, 31) || $0.hasPrefix("pp512+tg128 @ d8192") })
    #expect(table.first!.hasPrefix("test ") && table.first!.contains(" t/s"))
    #expect(table.first!.contains("MB/token") == (width >= 80))
    #expect(text.contains("not shown: ") == (width < 120))
    #expect(text.contains("7.50 ± 3.54"))
    // Wide enough, and where it is no terminal: the whole table.
    #expect(try BenchFormat.md.text(rows[0], isFirst: true, width: 250) == BenchFormat.md.text(rows[0], isFirst: true))
  }

  @Test("JSON is one array, JSON lines are objects; both tell the same")
  func json() throws {
    let rows = [row(), row(BenchTest(prompt: 10, generated: 0))]
    func text(_ format: BenchFormat) throws -> String {
      try format.opening() + rows.enumerated().map { try format.text($1, isFirst: $0 == 0) }.joined()
        + format.closing(isEmpty: false)
    }
    let array = try StrictJSON.parse(try text(.json)).array
    let lines = try text(.jsonl).split(separator: "\n").map { try StrictJSON.parse(String($0)) }
    #expect(array == lines && lines.count == 2)
    #expect(lines[0]["n_depth"]?.int == 5 && lines[0]["test_time"]?.string == "2023-11-14T22:13:20Z")
    #expect(lines[1]["first_token_p50"]?.double.map { abs($0 - 0.15) < 1e-12 } == true)
    #expect(try JSONDecoder().decode(BenchRow.self, from: Data(rows[1].json().utf8)) == rows[1])
    #expect(BenchFormat.json.opening() + BenchFormat.json.closing(isEmpty: true) == "[\n]\n")
  }

  @Test("CSV: a value for each key, quoted, empty where there is none")
  func csv() throws {
    let header = BenchFormat.csv.opening().dropLast().split(separator: ",")
    let line = try BenchFormat.csv.text(row(), isFirst: true)
    #expect(line.hasSuffix("\"\n") && header.contains("avg_ts") && !header.contains("samples_ts"))
    // Only one value holds a comma.
    let values = line.dropLast().replacing("CPU, fast", with: "CPU fast").split(
      separator: ",", omittingEmptySubsequences: false)
    #expect(values.count == header.count)
    let cell = Dictionary(uniqueKeysWithValues: zip(header, values))
    #expect(cell["model_filename"] == "\"made \"\"up\"\"\"" && cell["n_gen"] == "\"10\"")
    #expect(cell["read_limit"] == "\"\"" && cell["avg_ts"] == "\"7.5\"")
  }
}
