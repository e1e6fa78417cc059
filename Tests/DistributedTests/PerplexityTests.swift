import Foundation
import TestSupport
import Testing

@Suite("Perplexity on several ranks", .serialized)
struct PerplexityTests {
  @Test("Perplexity and divergence are the same on three ranks, model after model")
  func perplexity() throws {
    try withTemporaryFolder { folder in
      let text = folder.appending(path: "text")
      try Data((0..<40).map { "\($0) + \($0) = \(2 * $0)\n" }.joined().utf8).write(to: text)
      let arguments = [
        "perplexity", "-f", text.filePath, "-c", "64", "--quant", "q8_0", "--kl-base", "f32", "--json", "-q",
      ]
      let job = try flotilla(arguments, ranks: 3)
      #expect(job.status == 0 && job.isClean && job.complaints.isEmpty, "\(job.errors)")
      #expect(job.output.count == 1)
      #expect(try flotilla(arguments, ranks: nil).output == job.output)
    }
  }
}
