import Foundation
import Inference
import Testing

@Suite("The running program")
struct OwnProgramTests {
  private static let hash = String(repeating: "0a", count: 32)
  private static let commit = String(repeating: "b1", count: 20)

  @Test("A stamp of this program tells its commit", arguments: ["", "+"])
  func known(changes: String) {
    let stamp = Data("\(Self.commit)\(changes) \(Self.hash)\n".utf8)
    #expect(OwnProgram.commit(stamp: stamp, hash: Self.hash) == Self.commit + changes)
  }

  @Test(
    "Any other file tells nothing",
    arguments: [
      "", commit, "\(commit) \(hash) x", "\(commit) \(commit)", "\(commit)++ \(hash)", "<b>\(commit) \(hash)",
      "+ \(hash)", String(repeating: "a", count: 300),
    ])
  func unknown(stamp: String) { #expect(OwnProgram.commit(stamp: Data(stamp.utf8), hash: Self.hash) == nil) }

  @Test("Its name is enough where the PATH leads to it first")
  func typed() throws {
    let path = try #require(OwnProgram.path)
    let (folder, name) = ((path as NSString).deletingLastPathComponent, (path as NSString).lastPathComponent)
    let other = FileManager.default.temporaryDirectory.appending(path: "path-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: other) }
    try FileManager.default.createDirectory(at: other, withIntermediateDirectories: true)
    func typed(_ path: String) -> String? { OwnProgram.typed(environment: ["PATH": path]) }
    #expect(typed("/none:\(other.path):\(folder)") == name && typed("") == path && typed(other.path) == path)
    let file = other.appending(path: name).path
    try FileManager.default.createSymbolicLink(atPath: file, withDestinationPath: path)
    #expect(typed(other.path) == name)
    try FileManager.default.removeItem(atPath: file)
    // Another program of that name.
    try FileManager.default.createSymbolicLink(atPath: file, withDestinationPath: "/bin/sh")
    #expect(typed("\(other.path):\(folder)") == path)
  }

  @Test("Nor does one of a program that cannot be read, or bytes that are no text")
  func unreadable() {
    #expect(OwnProgram.commit(stamp: Data("\(Self.commit) \(Self.hash)".utf8), hash: nil) == nil)
    #expect(OwnProgram.commit(stamp: Data([0xff, 0xfe]), hash: Self.hash) == nil)
  }
}
