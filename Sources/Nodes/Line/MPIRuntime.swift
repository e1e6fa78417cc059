/// Which Open MPI starts the ranks: its runtime's parameters changed with version 5.
public enum MPIRuntime: Sendable, Equatable {
  /// With ORTE, `--mca` for everything.
  case version4
  /// With PRRTE, `--prtemca` for what concerns the runtime.
  case version5

  /// - Parameter text: what `mpirun --version` prints.
  /// - Throws: ``NodeError`` where it is another MPI or too old.
  public init(versionText text: String) throws(NodeError) {
    let first = text.split(separator: "\n").first.map(String.init) ?? ""
    let number = first.split(separator: " ").last { $0.first?.isNumber == true }
    let major = number?.split(separator: ".").first.flatMap { Int($0) }
    guard first.contains("Open MPI") || first.contains("OpenRTE"), let major, major >= 4 else {
      throw NodeError(
        "mpirun --version: expected Open MPI 4 or later, found \"\(first.prefix(80))\"",
        hint: "Debian's is in openmpi-bin; launch takes another one with --mpirun PATH", isUsage: true)
    }
    self = major == 4 ? .version4 : .version5
  }

  /// Asks the program.
  ///
  /// - Throws: ``NodeError`` where it does not start or is none of Open MPI's.
  public init(program: String) throws {
    var output: [UInt8] = []
    let child: ChildProcess
    do {
      child = try ChildProcess.run([program, "--version"], isCancelled: { false }) { output += $0 }
    } catch {
      throw NodeError(
        "\(program): expected Open MPI's mpirun, found nothing to start", hint: "install openmpi-bin", isUsage: true)
    }
    guard child.ending == .exited(0) else {
      throw NodeError(
        "\(program) --version: expected its version, found: \(child.errors.prefix(200))", isUsage: true)
    }
    try self.init(versionText: String(decoding: output, as: UTF8.self))
  }
}
