import ArgumentParser
import Foundation
import Inference

/// What is read.
struct TextOptions: ParsableArguments {
  @Option(
    name: [.customShort("f"), .customLong("file")],
    help: ArgumentHelp("The text, UTF-8; - is standard input.", valueName: "file"))
  var file: String

  @Option(
    name: [.customShort("c"), .customLong("ctx-size")], help: ArgumentHelp("Tokens of a window.", valueName: "n"))
  var window = 512

  @Option(help: ArgumentHelp("Most windows to read. Default: all.", valueName: "n"))
  var chunks: Int?

  func validate() throws {
    try check("--ctx-size", window, PerplexityPlan.smallestWindow...(1 << 24))
    try check("--chunks", chunks, 1...(1 << 24))
  }

  func contents() throws -> String {
    if file == "-" { return try StandardInput.readText() }
    guard let data = FileManager.default.contents(atPath: file) else {
      throw UsageError("--file \(file): expected a readable file, found \(UnreadableFile.found(at: file))")
    }
    guard let text = String(validating: data, as: UTF8.self) else {
      throw UsageError("--file \(file): expected UTF-8, found other bytes")
    }
    return text
  }
}

/// What it is compared with.
struct ComparisonOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Compare with this run format of the same model.", valueName: "format"))
  var klBase: Quantization?

  @Option(
    help: ArgumentHelp(
      "Where the logits of that format are kept; without --kl-base: where they are.", valueName: "file"))
  var logits: String?

  func validate() throws {
    try klBase?.verify("--kl-base")
    if logits?.isEmpty == true { throw ValidationError("--logits: expected a file name, found nothing.") }
  }
}
