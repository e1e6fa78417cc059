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

  @Test("Nor does one of a program that cannot be read, or bytes that are no text")
  func unreadable() {
    #expect(OwnProgram.commit(stamp: Data("\(Self.commit) \(Self.hash)".utf8), hash: nil) == nil)
    #expect(OwnProgram.commit(stamp: Data([0xff, 0xfe]), hash: Self.hash) == nil)
  }
}
