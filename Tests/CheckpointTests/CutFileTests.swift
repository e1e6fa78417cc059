import Checkpoint
import Foundation
import TestSupport
import Testing

@Suite("Files that are cut while they are read")
struct CutFileTests {
  @Test("One line with path and bytes, and the exit code of wrong input") func cut() async throws {
    let result = try await #require(
      processExitsWith: .exitCode(2), observing: [\.standardErrorContent]
    ) {
      let folder = try TemporaryFolder(copyOf: Fixtures.url("tiny-f32"))
      let file = folder["model.safetensors"]
      let checkpoint = try Checkpoint.open(folder.url)
      let source = try checkpoint.matrix("lm_head.weight")
      print(file.path(percentEncoded: false), to: &standardError)
      truncate(file.path(percentEncoded: false), 4096)
      // Two threads at once: one speaks.
      DispatchQueue.concurrentPerform(iterations: 2) { _ in
        var row = [Float](repeating: 0, count: source.columns)
        row.withUnsafeMutableBufferPointer { source.readRows(0..<1, into: $0.baseAddress!, stride: source.columns) }
      }
    }
    let lines = String(decoding: result.standardErrorContent, as: UTF8.self).split(separator: "\n").map(String.init)
    let path = try #require(lines.first { $0.hasPrefix("/") })
    let errors = lines.filter { $0.hasPrefix("error: ") }
    #expect(errors.count == 1, "\(lines)")
    #expect(errors.first?.hasPrefix("error: \(path): file size: expected ") == true, "\(lines)")
    #expect(errors.first?.hasSuffix(" bytes, found 4096: the file was cut short while it was read") == true)
  }
}

private struct StandardErrorStream: TextOutputStream {
  mutating func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}
nonisolated(unsafe) private var standardError = StandardErrorStream()
