import Checkpoint
import Foundation
import Nodes

/// What the shell of a node says, also where `flotilla` does not run. Nil where nothing was said.
public struct ShellFacts: Codable, Sendable, Equatable {
  public var hostName: String?
  /// Kernel and architecture.
  public var system: String?
  public var processors: Int?
  public var memoryTotal: Int?
  public var memoryAvailable: Int?
  public var load: Double?
  /// Version line of its `mpirun`; nil where there is none in the PATH of a remote command.
  public var mpirun: String?
  /// Whether the part of Open MPI that starts ranks is in that PATH.
  public var hasDaemon = false
  /// Bytes free where the model is or would be.
  public var diskFree: Int?
  /// The program at the path that was asked for.
  public var program: Program?
  /// What the program said in place of facts.
  public var refusal: String?
  /// Hash of the manifest that lies there.
  public var manifest: String?
  /// Files of the model that lie there.
  public var files: [File] = []
  /// Whether the model's folder, or file, is there at all.
  public var hasModel = false

  public struct Program: Codable, Sendable, Equatable {
    public var path: String
    /// Nil where it does not start.
    public var version: String?
    /// SHA-256; nil where nothing there can make it.
    public var hash: String?

    public init(path: String, version: String?, hash: String?) {
      self.path = path
      self.version = version
      self.hash = hash
    }
  }

  public struct File: Codable, Sendable, Equatable {
    public var name: String
    public var bytes: Int

    public init(name: String, bytes: Int) {
      self.name = name
      self.bytes = bytes
    }
  }

  public init() {}

  /// Takes a line of ``DoctorScript``.
  package mutating func take(_ line: String) {
    let words = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    let rest = words.count > 1 ? words[1].trimmingCharacters(in: .whitespaces) : ""
    guard !rest.isEmpty || words[0] == "daemon" || words[0] == "model" else { return }
    switch words[0] {
    case "host": hostName = rest
    case "system": system = rest
    case "processors": processors = Int(rest)
    case "MemTotal:": memoryTotal = MachineMemory.bytes("MemTotal:", of: line)
    case "MemAvailable:": memoryAvailable = MachineMemory.bytes("MemAvailable:", of: line)
    case "load": load = Double(rest)
    case "mpirun": mpirun = rest
    case "daemon": hasDaemon = true
    case "disk": diskFree = NodeScript.freeBytes(rest)
    case "program": program = Program(path: rest, version: nil, hash: nil)
    case "version": program?.version = rest
    case "hash": program?.hash = rest
    case "manifest": manifest = rest
    case "model": hasModel = true
    case "file":
      let pair = rest.split(separator: " ", maxSplits: 1).map(String.init)
      if pair.count == 2, let bytes = Int(pair[0]) { files.append(File(name: pair[1], bytes: bytes)) }
    default: break
    }
  }
}
