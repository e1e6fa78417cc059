import Checkpoint
import Foundation
import Testing

@Suite("Refusals of the system")
struct WriteRefusalTests {
  @Test("What Foundation says is what the system said")
  func words() throws {
    let path = FileManager.default.temporaryDirectory.path + "/refusal-\(UUID())"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data().write(to: URL(filePath: path))
    func refusal(_ body: () throws -> Void) throws -> WriteRefusal {
      WriteRefusal(try #require(throws: CocoaError.self, performing: body))
    }
    let below = try refusal {
      try FileManager.default.createDirectory(atPath: path + "/a/b", withIntermediateDirectories: true)
    }
    #expect(below.isOfPath && below.found == String(cString: strerror(ENOTDIR)), "\(below)")
    let nowhere = try refusal { try Data().write(to: URL(filePath: path + "-none/a"), options: .atomic) }
    #expect(nowhere.isOfPath && nowhere.found == String(cString: strerror(ENOENT)), "\(nowhere)")
    let full = WriteRefusal(CocoaError(.fileWriteOutOfSpace))
    #expect(full.isFull && !full.isOfPath)
  }
}
