import Nodes

/// Which Open MPI starts the ranks: its runtime's parameters changed with version 5.
public enum MPIRuntime: Sendable, Equatable {
  /// With ORTE, `--mca` for everything.
  case version4
  /// With PRRTE, `--prtemca` for what concerns the runtime.
  case version5

  /// - Parameter text: what `mpirun --version` prints.
  /// - Throws: ``LaunchError`` where it is another MPI or too old.
  public init(versionText text: String) throws(LaunchError) {
    let first = text.split(separator: "\n").first.map(String.init) ?? ""
    let number = first.split(separator: " ").last { $0.first?.isNumber == true }
    let major = number?.split(separator: ".").first.flatMap { Int($0) }
    guard first.contains("Open MPI") || first.contains("OpenRTE"), let major, major >= 4 else {
      throw LaunchError(
        "mpirun --version: expected Open MPI 4 or later, found \"\(first.prefix(80))\"",
        hint: "--mpirun PATH names another one; Debian's is in openmpi-bin")
    }
    self = major == 4 ? .version4 : .version5
  }

  /// Asks the program.
  public init(program: String) throws {
    var output: [UInt8] = []
    let child: ChildProcess
    do {
      child = try ChildProcess.run([program, "--version"], isCancelled: { false }) { output += $0 }
    } catch {
      throw LaunchError("\(program): expected Open MPI's mpirun, found nothing to start", hint: "install openmpi-bin")
    }
    guard child.ending == .exited(0) else {
      throw LaunchError("\(program) --version: expected its version, found: \(child.errors.prefix(200))", hint: "")
    }
    try self.init(versionText: String(decoding: output, as: UTF8.self))
  }
}

/// What keeps a job from being started, in words for the person who wants it.
public struct LaunchError: Error, Sendable, Equatable, CustomStringConvertible {
  public let description: String

  package init(_ text: String, hint: String = "") { description = text + (hint.isEmpty ? "" : ". Hint: \(hint)") }
}
