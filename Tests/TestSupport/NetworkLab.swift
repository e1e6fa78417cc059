import Foundation
import Glibc

/// Several network hosts on this machine, made by `Cluster/lab/lab`, for the life of the value.
public final class NetworkLab {
  /// The lab's folder: `n0/tmp`, `n0/private`, …, and the hostfile.
  public let folder: URL
  public let hosts: Int

  private static let tool = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Cluster/lab/lab").path(percentEncoded: false)

  /// Why this machine cannot make hosts; nil where it can.
  public static let obstacle: String? = {
    guard let (status, text) = try? Shell.run([tool, "check"]) else { return "\(tool) cannot be started" }
    return status == 0 ? nil : text.trimmingCharacters(in: .whitespacesAndNewlines)
  }()

  /// - Parameter links: options of `lab up`, as `--rate`.
  public init(hosts: Int, links: [String] = [], in parent: URL = FileManager.default.temporaryDirectory) throws {
    self.hosts = hosts
    folder = parent.appending(path: "lab-\(UUID().uuidString.prefix(8))")
    let (status, text) = try Shell.run(command + ["up", "\(hosts)"] + links)
    guard status == 0 else { throw LabFailure(description: "lab up: \(text)") }
  }

  deinit { _ = try? Shell.run(command + ["down"]) }

  /// The tool with its folder; a command comes behind.
  public var command: [String] { [Self.tool, "--folder", folder.path(percentEncoded: false)] }

  /// What stands in for ssh.
  public var agent: String { (command + ["agent"]).joined(separator: " ") }
  public var hostfile: String { folder.appending(path: "hostfile").path(percentEncoded: false) }
  /// The same path on all hosts, another folder on each.
  public var privateFolder: String { folder.appending(path: "private").path(percentEncoded: false) }

  /// Runs a command of the tool and returns the lines that it writes.
  @discardableResult
  public func run(_ words: String...) throws -> [String] {
    let (status, text) = try Shell.run(command + words)
    guard status == 0 else { throw LabFailure(description: "lab \(words.joined(separator: " ")): \(text)") }
    return text.split(separator: "\n").map(String.init)
  }

  /// Bytes that each host has sent and received.
  public func counters() throws -> [(sent: Int, received: Int)] {
    try run("counters").map { line in
      let words = line.split(separator: " ")
      return (Int(words[1]) ?? -1, Int(words[2]) ?? -1)
    }
  }

  /// Processes, shared memory and files that jobs left on the hosts, once that no longer changes or `limit` is over.
  public func leftovers(within limit: Double) throws -> [String] {
    let end = ContinuousClock.now + .seconds(limit)
    while true {
      let left = try run("leftovers")
      if left.isEmpty || ContinuousClock.now > end { return left }
      usleep(100_000)
    }
  }

  struct LabFailure: Error, CustomStringConvertible { let description: String }
}

/// A command that ends soon.
public enum Shell {
  /// Exit status, and standard output and error together.
  public static func run(_ words: [String]) throws -> (status: Int32, text: String) {
    let process = ChildProgram()
    let pipe = Pipe()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = words
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return (process.terminationStatus, text)
  }
}
