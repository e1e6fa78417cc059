import Foundation
import StrictJSON
import TestSupport
import Testing

@Suite("flotilla perplexity", .serialized)
struct PerplexityTests {
  static let text = (0..<60).map { "What is \($0 * 7) + \($0 * 3)? \($0 * 10)\n" }.joined()

  private func perplexity(_ arguments: [String], input: String = text) throws -> Run {
    try Run(["perplexity", "-f", "-", "-c", "64", "-q"] + arguments, text: input)
  }

  @Test("Text and JSON tell the same estimate")
  func estimate() throws {
    let run = try perplexity(["--chunks", "3", "--quant", "f32"])
    #expect(run.status == 0 && run.errors == "" && run.lines.count == 2)
    #expect(run.lines[0] == "3 windows of 64 tokens, 93 scored, f32")
    let json = try StrictJSON.parse(
      try #require(perplexity(["--chunks", "3", "--quant", "f32", "--json"]).lines.first))
    let value = try #require(json["perplexity"]?["value"]?.double)
    #expect(run.lines[1].hasPrefix("Final estimate: PPL = " + String(format: "%.4f", value) + " ± "))
  }

  @Test("A base that is computed on the way or read from its file: the same divergence")
  func divergence() throws {
    try withTemporaryPath { path in
      let together = try perplexity(["--quant", "q8_0", "--kl-base", "f32", "--logits", path, "--json"])
      #expect(together.status == 0, "\(together.errors)")
      let later = try perplexity(["--quant", "q8_0", "--logits", path, "--json"])
      #expect(later.output == together.output)
      let mean = try StrictJSON.parse(try #require(later.lines.first))["comparison"]?["divergence"]?["mean"]?["value"]
      #expect(try #require(mean?.double) > 0)
      let other = try perplexity(["--logits", path], input: Self.text + Self.text)
      #expect(other.status == 2 && other.errors.hasPrefix("error: \(path): windows: expected "))
    }
  }

  @Test("Logits are not written over a file that holds something else, the text itself included")
  func precious() throws {
    try withTemporaryPath { path in
      try Data(Self.text.utf8).write(to: URL(filePath: path))
      let run = try Run(["perplexity", "-f", path, "-c", "64", "-q", "--kl-base", "f32", "--logits", path])
      #expect(run.status == 2 && run.output == [])
      #expect(
        run.errors == "error: \(path): file: expected none yet, or logits to write anew, found something else\n"
          + "hint: name another file, or remove this one\n")
      #expect(try Data(contentsOf: URL(filePath: path)) == Data(Self.text.utf8))
    }
  }

  @Test("A text that is missing, too short or not text")
  func mistakes() throws {
    let missing = try Run(["perplexity", "-f", "/nonexistent"])
    #expect(
      missing.status == 2
        && missing.errors == "error: --file /nonexistent: expected a readable file, found nothing there\n")
    let short = try perplexity([], input: "What")
    #expect(
      short.status == 2 && short.errors.hasPrefix("error: text: expected at least 64 tokens, the size of a window"))
    let long = try Run(["perplexity", "-f", "-", "-c", "100000"], text: Self.text)
    #expect(long.status == 2 && long.errors.hasPrefix("error: context size of -c: expected 1 to "))
    let folder = try Run(["perplexity", "-f", "."])
    #expect(folder.status == 2 && folder.errors == "error: --file .: expected a readable file, found a folder\n")
    let bytes = try Run(["perplexity", "-f", "-"], input: [0xFF])
    #expect(bytes.status == 2 && bytes.errors.hasPrefix("error: standard input: expected UTF-8, found byte 0xff"))
  }
}
