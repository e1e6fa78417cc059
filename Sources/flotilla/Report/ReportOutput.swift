import Foundation
import Reporting

/// Where `flotilla report` puts its page: on standard output, or into a file.
struct ReportOutput {
  /// Ends in .html or .md; nil: standard output.
  let path: String?

  func put(_ text: String, _ markdown: String, _ html: String) throws {
    guard let path else { return try say(text) }
    let page = path.hasSuffix(".html") ? html : markdown
    try OutputFile(option: "--output", path: path).write(Data(page.utf8))
  }

  /// Says that there is a new page, where it does not show.
  func announce() { if let path { StandardError.write("Wrote \(printable(path)).\n") } }

  /// What is no page: beside one that goes to a file.
  func tell(_ lines: [String]) throws {
    let text = lines.map { $0 + "\n" }.joined()
    if path == nil { try say(text) } else { StandardError.write(text) }
  }

  private func say(_ text: String) throws {
    try StandardOutput.write(text)
    try StandardOutput.flush()
  }
}
