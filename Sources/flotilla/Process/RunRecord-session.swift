import Doctor
import Foundation
import Inference
import MessagePassing
import Reporting

extension RunRecord {
  /// Of a run that ends with this. On the coordinator's rank.
  ///
  /// - Parameters:
  ///   - sampling: how tokens were drawn.
  ///   - id: under which the run has told how far it was; nil: it did not.
  ///   - isKept: whether the record goes to a file, or out as JSON: then with what it ran on, for which the program's own
  ///     tens of megabytes are read.
  init(of session: RunSession, sampling: Sampling?, id: String?, isKept: Bool) throws {
    self.init(try session.finish(), version: Flotilla.version, command: CommandLine.arguments)
    (self.sampling, self.id) = (sampling, id)
    guard isKept else { return }
    if ProcessRank.current.isLaunched { launcher = LauncherLine.ofThisProcess() }
    let isJob = session.fleet.rankCount > 1
    let parameters = ProcessInfo.processInfo.environment.filter { variable in
      Self.kinds.contains { variable.key.hasPrefix("OMPI_MCA_" + $0) }
    }
    let hash = OwnProgram.hash
    surroundings = Surroundings(
      machine: .ofThisMachine(), sockets: SystemFacts.sockets(), binary: hash, commit: OwnProgram.commit(hash: hash),
      mpi: isJob ? MPISession.libraryVersion : nil, mpiParameters: isJob ? parameters : nil,
      interfaces: Set(ranks.map(\.host)).count > 1 ? session.interfaces : nil)
  }

  /// Beginnings of parameters that bear on messages; the others say where mpirun keeps its things.
  private static let kinds = ["btl", "pml", "mtl", "coll", "mpi_"]
}
