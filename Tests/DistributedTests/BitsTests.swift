import Foundation
import TestSupport
import Testing

@Suite("One SHA-256 of all logits, however it runs", .serialized)
struct BitsTests {
  private func hash(_ fixture: String, _ arguments: [String], ranks: Int?) throws -> String {
    let job = try flotilla(
      [
        "trace", Fixtures.url(fixture).filePath, "--sha256", "--greedy", "6", "--token-ids",
        "0,5,77,300,21,9,14,8,2,30",
        "--token-ids", "17,4", "--token-ids", "406",
      ] + arguments, ranks: ranks)
    #expect(job.status == 0, "\(arguments) \(job.errors)")
    return try #require(job.output.first)
  }

  /// Rank 0 with the scalar kernels, two more with the fastest.
  private func withOneScalarRank(_ arguments: [String]) throws -> Job {
    try Job(
      "flotilla", arguments, ranks: 1, launcher: ["-x", "FLOTILLA_ISA=scalar"],
      more: [":", "-n", "2", try Job.executable("flotilla")] + arguments)
  }

  @Test("Ranks 1 to 6 and without mpirun", arguments: ["f32", "bf16", "q4_K", "q8_0"])
  func ranks(format: String) throws {
    let expected = try hash("tiny-f32", ["--quant", format], ranks: nil)
    #expect(expected.count == 64)
    for ranks in 1...6 { #expect(try hash("tiny-f32", ["--quant", format], ranks: ranks) == expected) }
  }

  @Test(
    "The dense part on the coordinator alone, and divided among 2 to 5 ranks of two threads",
    arguments: [
      ("tiny-f32", "f32"), ("tiny-bf16-sharded", "bf16"), ("tiny-fp8", "fp8"), ("tiny-v2lite", "q8_0"),
      ("tiny-mtp", "q4_1"),
    ])
  func denseSlices(fixture: String, format: String) throws {
    let expected = try hash(fixture, ["--quant", format], ranks: nil)
    #expect(try hash(fixture, ["--quant", format, "--dense-slices", "none"], ranks: 2) == expected)
    for ranks in [2, 5] {
      let roles = ["--dense-slices", "all", "--coordinator-rank", "\(ranks - 1)", "--threads", "2"]
      #expect(try hash(fixture, ["--quant", format] + roles, ranks: ranks) == expected, "\(ranks) ranks")
    }
  }

  @Test("Long prompts, whose dense part is divided while no experts run: one, two and three questions a product")
  func longPrompts() throws {
    try withTemporaryFolder { folder in
      let model = folder.appending(path: "mini").filePath
      _ = try flotilla(["synthesize", model, "--like", "mini", "--seed", "3", "--quiet"], ranks: nil)
      for tokens in [33, 129, 257] {
        let prompt = (0..<tokens).map { String($0 * 7 % 300) }.joined(separator: ",")
        let arguments = ["trace", model, "--sha256", "--greedy", "2", "--token-ids", prompt, "--quant", "q4_K"]
        let expected = try flotilla(arguments, ranks: nil)
        #expect(expected.status == 0, "\(expected.errors)")
        for options in [["--micro-batches", "1"], ["--micro-batches", "2", "--prefill-chunk", "200"]] {
          let found = try flotilla(arguments + options + ["--dense-slices", "host"], ranks: 3)
          #expect(found.output == expected.output, "\(tokens) tokens, \(options): \(found.errors)")
        }
      }
    }
  }

  @Test("Super-blocks of 256 columns, with rows encoded on the wire", arguments: ["q4_K", "Q4_K_M"])
  func superBlocks(format: String) throws {
    try withTemporaryFolder { folder in
      let model = folder.appending(path: "mini").filePath
      _ = try flotilla(["synthesize", model, "--like", "mini", "--seed", "3", "--quiet"], ranks: nil)
      let prompt = (0..<150).map { String($0 * 7 % 300) }.joined(separator: ",")
      let arguments = ["trace", model, "--sha256", "--greedy", "4", "--token-ids", prompt, "--quant", format]
      let expected = try flotilla(arguments, ranks: nil)
      #expect(expected.status == 0, "\(expected.errors)")
      for ranks in [2, 3] { #expect(try flotilla(arguments, ranks: ranks).output == expected.output) }
    }
  }

  /// What each format is tried on: a shape whose rows 256 divides, or the checkpoint with FP8 weights.
  static let formats = [
    ("mini", "f32"), ("mini", "bf16"), ("mini", "q8_0"), ("mini", "q6_K"), ("mini", "q4_K"), ("mini", "q4_1"),
    ("mini", "experts=q6_K,attention=q4_1,head=q8_0"), ("tiny-fp8", "fp8"),
  ]

  @Test("Every format: instruction sets, threads, chunks, company, placements", arguments: formats)
  func everyFormat(model: String, format: String) throws {
    try withTemporaryFolder { folder in
      var source = Fixtures.url("tiny-fp8").filePath
      if model != "tiny-fp8" {
        source = folder.appending(path: model).filePath
        _ = try flotilla(["synthesize", source, "--like", model, "--seed", "3", "--quiet"], ranks: nil)
      }
      // Prepared once, so that the slow kernels need not quantise.
      let prepared = folder.appending(path: "prepared").filePath
      #expect(try flotilla(["prepare", source, prepared, "--quant", format, "--quiet"], ranks: nil).status == 0)
      let prompt = (0..<70).map { String($0 * 7 % 300) }.joined(separator: ",")
      let arguments = [
        "trace", prepared, "--sha256", "--greedy", "3", "--token-ids", prompt, "--token-ids", "17,4", "--token-ids",
        "406",
      ]
      let expected = try flotilla(arguments, ranks: nil)
      #expect(expected.status == 0 && expected.output.first?.count == 64, "\(expected.errors)")
      let mixed = try withOneScalarRank(arguments)
      #expect(mixed.output == expected.output, "\(mixed.errors)")
      let placement = try scatteredPlacement(experts: model == "mini" ? 32 : 16, ranks: 2, in: folder)
      for (ranks, more) in [
        (2, ["--placement", placement, "--threads", "2"]), (3, ["--prefill-chunk", "11", "--together"]),
      ] {
        let job = try flotilla(arguments + more, ranks: ranks)
        #expect(job.output == expected.output, "\(more) \(job.errors)")
      }
    }
  }

  @Test("A GGUF file runs as it is stored, with the same bits on any ranks", arguments: ["Q4_K_M", "Q8_0"])
  func stored(type: String) throws {
    try withTemporaryFolder { folder in
      let (model, file) = (folder.appending(path: "mini").filePath, folder.appending(path: "mini.gguf").filePath)
      _ = try flotilla(["synthesize", model, "--like", "mini", "--seed", "3", "--quiet"], ranks: nil)
      _ = try flotilla(["export", model, file, "--type", type, "--quiet"], ranks: nil)
      let prompt = (0..<70).map { String($0 * 7 % 300) }.joined(separator: ",")
      let arguments = ["trace", file, "--sha256", "--greedy", "4", "--token-ids", prompt]
      let expected = try flotilla(arguments, ranks: nil)
      #expect(expected.status == 0 && expected.output.first?.count == 64, "\(expected.errors)")
      for ranks in [2, 3] { #expect(try flotilla(arguments, ranks: ranks).output == expected.output) }
      let widened = try flotilla(arguments + ["--quant", "f32"], ranks: nil)
      #expect(widened.output != expected.output)
      let record = try flotilla(["inspect", file, "--placement-for", "2"], ranks: nil)
      #expect(record.output.contains { $0.contains("as stored") }, "\(record.output)")
    }
  }

  @Test("FP8 codes run as they are, with the bits of f32")
  func fp8() throws {
    let expected = try hash("tiny-fp8", ["--quant", "f32"], ranks: nil)
    for ranks in [1, 3] { #expect(try hash("tiny-fp8", ["--quant", "fp8"], ranks: ranks) == expected) }
    #expect(try hash("tiny-fp8", [], ranks: 2) == expected)
    let arguments = ["trace", Fixtures.url("tiny-f32").filePath, "--sha256", "--token-ids", "5,6", "--quant", "fp8"]
    let job = try flotilla(arguments, ranks: nil)
    #expect(job.status == 2 && job.errors.joined().contains("without FP8 weights"), "\(job.errors)")
  }

  @Test("The two formats differ where the checkpoint is f32")
  func formatsDiffer() throws {
    #expect(try hash("tiny-f32", ["--quant", "f32"], ranks: nil) != hash("tiny-f32", ["--quant", "bf16"], ranks: nil))
  }

  @Test("A cache in f16: other bits than f32, the same for ranks, threads, chunks and company")
  func roundedCache() throws {
    let expected = try hash("tiny-f32", ["--cache-type", "f16"], ranks: nil)
    #expect(try hash("tiny-f32", ["--cache-type", "f32"], ranks: nil) != expected)
    #expect(try hash("tiny-f32", ["--cache-type", "f16", "--threads", "2"], ranks: 3) == expected)
    let chunked = ["--cache-type", "f16", "--prefill-chunk", "4", "--together"]
    #expect(try hash("tiny-f32", chunked, ranks: 2) == expected)
  }

  @Test("Placements, threads, chunks, company", arguments: Fixtures.checkpoints)
  func circumstances(fixture: String) throws {
    let experts = fixture == "tiny-bf16-sharded" ? 24 : 16
    let expected = try hash(fixture, [], ranks: nil)
    try withTemporaryFolder { folder in
      for ranks in [2, 5] {
        let file = try scatteredPlacement(experts: experts, ranks: ranks, in: folder)
        #expect(try hash(fixture, ["--placement", file, "--threads", "2"], ranks: ranks) == expected)
      }
    }
    for chunk in ["1", "7"] {
      #expect(try hash(fixture, ["--prefill-chunk", chunk, "--together"], ranks: 3) == expected)
    }
  }

  @Test("More ranks than experts")
  func manyRanks() throws {
    #expect(try hash("tiny-v2lite", [], ranks: 18) == hash("tiny-v2lite", [], ranks: nil))
  }

  @Test("Instruction sets, also different ones on different ranks")
  func instructionSets() throws {
    let expected = try hash("tiny-f32", [], ranks: nil)
    let arguments = [
      "trace", Fixtures.url("tiny-f32").filePath, "--sha256", "--greedy", "6", "--token-ids",
      "0,5,77,300,21,9,14,8,2,30",
      "--token-ids", "17,4", "--token-ids", "406",
    ]
    let job = try withOneScalarRank(arguments)
    #expect(job.output.first == expected, "\(job.errors)")
  }
}
