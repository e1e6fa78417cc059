import ExpertParallel
import Foundation
import TestSupport
import Testing

@Suite("Prepared models", .serialized)
struct PreparedTests {
  private static let prompt = ["--greedy", "6", "--token-ids", "0,5,77,300,21,9", "--token-ids", "17,4"]

  private func prepare(_ source: String, _ folder: URL, _ more: [String] = []) throws {
    let job = try flotilla(["prepare", source, folder.filePath, "--quiet"] + more, ranks: nil)
    #expect(job.status == 0, "\(job.errors)")
  }

  private func hash(_ model: String, _ more: [String] = [], ranks: Int? = nil) throws -> String {
    let job = try flotilla(["trace", model, "--sha256"] + Self.prompt + more, ranks: ranks)
    #expect(job.status == 0, "\(job.errors)")
    return try #require(job.output.first)
  }

  @Test(
    "The bits of the source in the same format, on 1, 2, 3 and 8 ranks and three placements",
    arguments: Fixtures.checkpoints, ["auto", "q4_K"])
  func sameBits(fixture: String, format: String) throws {
    try withTemporaryFolder { folder in
      let source = Fixtures.url(fixture).filePath
      let prepared = folder.appending(path: "prepared")
      try prepare(source, prepared, ["--quant", format])
      let expected = try hash(source, ["--quant", format])
      for ranks in [nil, 2, 3, 8] { #expect(try hash(prepared.filePath, ranks: ranks) == expected) }
      let experts = fixture == "tiny-bf16-sharded" ? 24 : 16
      let file = try scatteredPlacement(experts: experts, ranks: 3, in: folder)
      #expect(try hash(prepared.filePath, ["--placement", file, "--verify", "--populate"], ranks: 3) == expected)
      #expect(try hash(prepared.filePath, ["--coordinator-experts", "3"], ranks: 3) == expected)
      for pages in ["on", "off"] {
        #expect(try hash(prepared.filePath, ["--huge-pages", pages, "--dense-slices", "all"], ranks: 3) == expected)
      }
    }
  }

  @Test("A GGUF file")
  func gguf() throws {
    try withTemporaryFolder { folder in
      let file = folder.appending(path: "model.gguf").filePath
      let exported = try flotilla(
        ["export", Fixtures.url("tiny-v2lite").filePath, file, "--type", "Q8_0", "--quiet"], ranks: nil)
      #expect(exported.status == 0)
      let prepared = folder.appending(path: "prepared")
      try prepare(file, prepared, ["--quant", "q8_0"])
      #expect(try hash(prepared.filePath, ranks: 2) == hash(file, ["--quant", "q8_0"]))
    }
  }

  @Test("Killed at ten moments and continued: the same files")
  func resume() throws {
    try withTemporaryFolder { folder in
      let source = folder.appending(path: "source").filePath
      _ = try flotilla(["synthesize", source, "--like", "mini", "--seed", "3", "--quiet"], ranks: nil)
      let (whole, killed) = (folder.appending(path: "whole"), folder.appending(path: "killed"))
      let arguments = ["--quant", "q4_K", "--threads", "1"]
      try prepare(source, whole, arguments)
      var random = SplitMix64(11)
      for _ in 0..<10 {
        let delay = useconds_t.random(in: 20_000...400_000, using: &random)
        let job = try flotilla(["prepare", source, killed.filePath, "--quiet"] + arguments, ranks: nil) { running in
          usleep(delay)
          kill(running.process, SIGKILL)
          return true
        }
        // Until it is whole it is no model.
        let isWhole = FileManager.default.fileExists(atPath: killed.appending(path: "manifest.json").filePath)
        if job.status != 0, !isWhole {
          #expect(try flotilla(["inspect", killed.filePath], ranks: nil).status == 2)
        }
      }
      try prepare(source, killed, arguments)
      let names = try FileManager.default.contentsOfDirectory(atPath: whole.filePath).sorted()
      #expect(try FileManager.default.contentsOfDirectory(atPath: killed.filePath).sorted() == names)
      for name in names {
        #expect(
          FileManager.default.contentsEqual(
            atPath: whole.appending(path: name).filePath, andPath: killed.appending(path: name).filePath), "\(name)")
      }
    }
  }

  @Test("Bundles that are missing, added, damaged, cut; another source, another format")
  func faults() throws {
    try withTemporaryFolder { folder in
      let source = Fixtures.url("tiny-f32").filePath
      let model = folder.appending(path: "model")
      try prepare(source, model, ["--experts", "0-3", "--no-dense", "--quant", "bf16"])
      let missing = try flotilla(["trace", model.filePath, "--sha256", "--token-ids", "1"], ranks: nil)
      #expect(missing.status == 2)
      #expect(missing.complaints.first?.contains("expected dense, expert 4-15") == true, "\(missing.errors)")
      let other = try flotilla(["prepare", source, model.filePath, "--quant", "q8_0"], ranks: nil)
      #expect(other.complaints.first?.contains("expected --quant bf16") == true, "\(other.errors)")
      let another = try flotilla(
        ["prepare", Fixtures.url("tiny-mtp").filePath, model.filePath, "--quant", "bf16"], ranks: nil)
      #expect(another.complaints.first?.contains("expected the source tiny-f32") == true, "\(another.errors)")
      try prepare(source, model, ["--quant", "bf16"])
      #expect(try hash(model.filePath) == hash(source, ["--quant", "bf16"]))
      #expect(try flotilla(["inspect", model.filePath, "--verify"], ranks: nil).status == 0)

      let bundle = model.appending(path: "expert-002.bundle")
      var bytes = try Data(contentsOf: bundle)
      bytes[5000] ^= 1
      try bytes.write(to: bundle)
      let flipped = try flotilla(["inspect", model.filePath, "--verify"], ranks: nil)
      #expect(flipped.status == 2)
      #expect(
        flipped.complaints.first?.hasPrefix("error: expert-002.bundle: tensor model.layers.1.mlp.experts.2.") == true,
        "\(flipped.errors)")
      let run = try flotilla(["trace", model.filePath, "--sha256", "--token-ids", "1", "--verify"], ranks: 2)
      #expect(run.complaints.count == 1)
      #expect(run.complaints.first?.contains("expert-002.bundle: tensor") == true, "\(run.errors)")
      try bytes.dropLast().write(to: bundle)
      let cut = try flotilla(["inspect", model.filePath], ranks: nil)
      #expect(cut.complaints.first?.contains("expert-002.bundle: file size: expected") == true, "\(cut.errors)")
    }
  }
}
