import Foundation
import TestSupport
import Testing

@Suite("The tour")
struct TourTests {
  private static let script = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Scripts/tour").filePath

  @Test("Every command of Documentation/Tour.md runs; the hashes are the same; there is a page at the end")
  func tour() throws {
    try withTemporaryPath { folder in
      let (status, text) = try Shell.run(
        ["env", "FLOTILLA=\(try Job.executable("flotilla"))", Self.script, folder])
      #expect(status == 0, "\(text.suffix(2000))")
      let hashes = text.split(separator: "\n").filter { $0.wholeMatch(of: /[0-9a-f]{64}/) != nil }
      #expect(hashes.count == 2 && Set(hashes).count == 1, "\(hashes)")
      #expect(text.contains("PREDICTED") && text.contains("PHANTOM") && text.contains("Prediction beside measurement"))
      let page = try String(contentsOfFile: folder + "/report.html", encoding: .utf8)
      #expect(page.contains("more even for this record") && page.contains("The end of the last step"))
      #expect(page.hasSuffix("</html>\n"))
    }
  }
}
