import Foundation

/// Open MPI's hostfile: which nodes there are, and how many ranks each takes.
///
/// ```
/// # the lab
/// n0 slots=1
/// n1 slots=2 max_slots=2
/// ```
///
/// What `mpirun` would decide by itself (a line without slots means the cores of that node) is refused, since the
/// bundles must lie where the ranks will run. As with `mpirun`, names without user and domain tell nodes apart, and all
/// names of this machine are one node.
public struct Hostfile: Sendable, Equatable {
  public struct Host: Sendable, Equatable {
    /// As `ssh` takes it, with `user@` where the file has it.
    public let name: String
    /// Ranks that `mpirun` starts there.
    public var slots: Int

    public init(name: String, slots: Int) {
      self.name = name
      self.slots = slots
    }
  }

  /// Each once, in the order in which ranks are counted: this machine first, wherever the file has it, then as in the
  /// file. So does `mpirun` of Open MPI 4; that of Open MPI 5 keeps the order of what it is given.
  public let hosts: [Host]
  /// Whether the file has this machine, and not first.
  public let movesThisMachine: Bool

  /// Of all nodes: the number of ranks that `mpirun` starts without `-n`.
  public var slots: Int { hosts.reduce(0) { $0 + $1.slots } }

  /// As many as a placement can have.
  static let mostRanks = 1 << 16
  static let mostBytes = 1 << 20

  /// - Throws: ``HostfileError`` with line and column.
  public init(file: URL) throws {
    let path = file.path(percentEncoded: false)
    let bytes: Data
    do {
      bytes = try FileHandle(forReadingFrom: file).read(upToCount: Self.mostBytes + 1) ?? Data()
    } catch {
      throw HostfileError(
        file: path, line: nil, column: nil, expected: "a readable file",
        found: FileManager.default.fileExists(atPath: path) ? "one that cannot be read" : "nothing there",
        hint: "a line for each node: name slots=1")
    }
    guard bytes.count <= Self.mostBytes, let text = String(validating: bytes, as: UTF8.self) else {
      throw HostfileError(
        file: path, line: nil, column: nil, expected: "at most \(Self.mostBytes) bytes of text",
        found: bytes.count > Self.mostBytes ? "more" : "bytes that are no text",
        hint: "a line for each node: name slots=1")
    }
    try self.init(text: text, file: path)
  }

  /// - Parameters:
  ///   - file: the name for errors.
  ///   - machine: the one that starts the ranks.
  public init(text: String, file: String, machine: LocalHost = .current) throws(HostfileError) {
    var hosts: [Host] = []
    var nodes: [String] = []
    let lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated() {
      var reader = HostfileLine(file: file, number: index + 1, scalars: Array(line))
      guard let entry = try reader.read() else { continue }
      let node = machine.isNamed(entry.name) ? "localhost" : LocalHost.node(entry.name)
      guard let known = nodes.firstIndex(of: node) else {
        guard let slots = entry.slots else {
          throw reader.error(
            at: 1, "slots=N behind \(entry.name)", "none",
            "\(entry.name) slots=1 means one rank there; without it mpirun takes the number of cores, not known here")
        }
        hosts.append(Host(name: entry.name, slots: slots))
        nodes.append(node)
        continue
      }
      guard entry.slots == nil else {
        let first = hosts[known].name
        throw reader.error(
          at: 1, "the name \(first) once, or again without slots for one rank more",
          "slots a second time" + (first == entry.name ? "" : ": \(entry.name) is the same machine"),
          "mpirun refuses it too: add the slots up in one line")
      }
      hosts[known].slots += 1
    }
    self.init(hosts: hosts.filter { $0.slots > 0 }, machine: machine)
    guard (1...Self.mostRanks).contains(slots) else {
      throw HostfileError(
        file: file, line: nil, column: nil, expected: "1 to \(Self.mostRanks) slots in all", found: "\(slots)",
        hint: "a line for each node: name slots=1")
    }
  }

  /// - Parameter hosts: each once, in any order.
  public init(hosts: [Host], machine: LocalHost = .current) {
    let own = hosts.filter { machine.isNamed($0.name) }
    self.hosts = own + hosts.filter { !machine.isNamed($0.name) }
    movesThisMachine = self.hosts != hosts
  }
}

/// A hostfile that `mpirun` would not take, or not as it stands.
public struct HostfileError: Error, Sendable, Equatable, CustomStringConvertible {
  public let file: String
  /// From 1; nil where the file as a whole is meant.
  public let line: Int?
  /// In characters, from 1.
  public let column: Int?
  public let expected: String
  public let found: String
  public let hint: String

  public var description: String {
    let place = line.map { ": line \($0)" + (column.map { ", column \($0)" } ?? "") } ?? ""
    return "hostfile \(file)\(place): expected \(expected), found \(found). Hint: \(hint)"
  }
}
