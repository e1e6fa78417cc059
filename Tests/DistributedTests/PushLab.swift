import Foundation
import TestSupport
import Testing

/// Real rsync to nodes that are folders here: a stand-in for ssh enters a node's folder, where a relative destination
/// begins.
struct PushLab {
  let folder: URL
  var source: URL { folder.appending(path: "a model's") }
  var hostfile: String { folder.appending(path: "hosts").filePath }

  /// - Parameters:
  ///   - model: a fixture, prepared.
  ///   - setting: what a node's shell is to do first.
  init(_ folder: URL, nodes: Int = 3, model: String = "tiny-mtp", setting: String = "") throws {
    self.folder = folder
    let prepared = try flotilla(["prepare", Fixtures.url(model).filePath, source.filePath, "--quiet"], ranks: nil)
    #expect(prepared.status == 0, "\(prepared.errors)")
    let lines = (0..<nodes).map { "n\($0) slots=1\n" }
    try lines.joined().write(toFile: hostfile, atomically: true, encoding: .utf8)
    try agent(setting)
  }

  /// Rewrites the stand-in.
  func agent(_ setting: String) throws {
    let path = folder.appending(path: "the agent").filePath
    let script = """
      #!/bin/sh
      host=$1
      shift
      mkdir -p "\(folder.filePath)/nodes/$host" && cd "\(folder.filePath)/nodes/$host" || exit 255
      \(setting)
      echo "Welcome to $host"
      exec sh -c "$*"
      """
    // rsync's own words must come first.
    let quiet = script.replacing("echo \"Welcome", with: "[ \"$1\" = sh ] && echo \"Welcome")
    try Executable.write(quiet, to: path)
  }

  func node(_ index: Int) -> URL { node("n\(index)") }

  func node(_ name: String) -> URL { folder.appending(path: "nodes/\(name)/to it") }

  func setHosts(_ text: String) throws { try text.write(toFile: hostfile, atomically: true, encoding: .utf8) }

  func push(_ more: [String] = [], limit: Double = 60, meanwhile: (Job.Running) -> Bool = { _ in true }) throws -> Job {
    let agent = "'" + folder.appending(path: "the agent").filePath + "'"
    return try flotilla(
      ["push", source.filePath, "--hostfile", hostfile, "--to", "to it", "--rsh", agent] + more, ranks: nil,
      limit: limit, meanwhile: meanwhile)
  }

  func names(_ index: Int) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: node(index).filePath)) ?? []).sorted()
  }

  var smallFiles: [String] {
    get throws {
      try FileManager.default.contentsOfDirectory(atPath: source.filePath).filter { !$0.hasSuffix(".bundle") }
    }
  }

  /// Everything that lies on a node is what lies in the source.
  func isSame(_ index: Int) -> Bool {
    names(index).allSatisfy { name in
      FileManager.default.contentsEqual(
        atPath: source.appending(path: name).filePath, andPath: node(index).appending(path: name).filePath)
    }
  }

  func flip(_ index: Int, _ name: String, at offset: Int) throws {
    let file = node(index).appending(path: name)
    var bytes = try Data(contentsOf: file)
    bytes[offset] ^= 4
    let date = try FileManager.default.attributesOfItem(atPath: file.filePath)[.modificationDate]
    try bytes.write(to: file)
    try FileManager.default.setAttributes([.modificationDate: date as Any], ofItemAtPath: file.filePath)
  }
}
