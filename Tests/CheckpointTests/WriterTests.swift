import Checkpoint
import Foundation
import Testing

@Suite struct WriterTests {
  @Test func whatIsWrittenIsRead() throws {
    let folder = try TemporaryFolder()
    let declarations: [SafetensorsWriter.Declaration] = [
      .init("p0.logits", .f32, [2, 3]), .init("empty", .i64, [0, 5]), .init("scalar", .u8, []),
      .init("ids \"quoted\" \n ü", .i64, [2]),
    ]
    let writer = try SafetensorsWriter(folder["out.safetensors"], tensors: declarations)
    let logits: [Float] = [1, 2, 3, 4, 5, 6]
    try logits.withUnsafeBytes { try writer.append(.init(rebasing: $0[..<12])) }
    try logits.withUnsafeBytes { try writer.append(.init(rebasing: $0[12...])) }
    try withUnsafeBytes(of: UInt8(9)) { try writer.append($0) }
    #expect(!FileManager.default.fileExists(atPath: folder["out.safetensors"].path))
    try [Int64(-1), 7].withUnsafeBytes { try writer.write($0, to: declarations[3].name) }
    try writer.finish()

    let file = try SafetensorsFile(folder["out.safetensors"])
    #expect(file.header.metadata == ["format": "pt"])
    #expect(file.header.tensors.map(\.name).sorted() == declarations.map(\.name).sorted())
    #expect(file.header.jsonRange.upperBound % 8 == 0)
    func bytes(_ name: String) -> [UInt8] {
      file.header.tensors.first { $0.name == name }.map { Array(file.bytes(of: $0)) } ?? []
    }
    #expect(bytes("p0.logits") == logits.withUnsafeBytes(Array.init))
    #expect(bytes("scalar") == [9] && bytes("empty") == [])
    #expect(bytes(declarations[3].name) == [Int64(-1), 7].withUnsafeBytes(Array.init))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["out.safetensors"])
  }

  @Test func anAbandonedFileIsRemoved() throws {
    let folder = try TemporaryFolder()
    var writer: SafetensorsWriter? = try SafetensorsWriter(
      folder["out.safetensors"], tensors: [.init("a", .f32, [4])])
    #expect(writer?.fileBytes ?? 0 > 16)
    writer = nil
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == [])
  }

  @Test func onlyPlainFilesAreReplaced() throws {
    let folder = try TemporaryFolder()
    #expect(mkfifo(folder["fifo"].path, 0o600) == 0)
    for url in [folder["fifo"], folder.url] {
      let error = try #require(throws: CheckpointError.self) {
        _ = try SafetensorsWriter(url, tensors: [.init("a", .f32, [4])])
      }
      #expect(error.expected == "a plain file, or none yet" && error.found == "a folder or a device")
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["fifo"])
    try Data("old".utf8).write(to: folder["old"])
    let writer = try SafetensorsWriter(folder["old"], tensors: [.init("a", .u8, [0])])
    try writer.finish()
    #expect(try SafetensorsFile(folder["old"]).header.tensors.map(\.name) == ["a"])
  }

  @Test func aDiskTooSmallIsRefused() throws {
    let folder = try TemporaryFolder()
    let error = try #require(throws: CheckpointError.self) {
      _ = try SafetensorsWriter(folder["big.safetensors"], tensors: [.init("a", .f32, [1 << 30, 1 << 28])])
    }
    #expect(error.subject == "disk" && error.found.contains(" GiB"))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == [])
    #expect(throws: CheckpointError.self) {
      _ = try SafetensorsWriter(folder["big.safetensors"], tensors: [.init("a", .f32, [1 << 40, 1 << 40])])
    }
    #expect(throws: CheckpointError.self) {
      _ = try SafetensorsWriter(
        folder["twice.safetensors"], tensors: [.init("a", .f32, [1]), .init("a", .f32, [1])])
    }
  }
}
