import Checkpoint
import Foundation
import Inference
import Kernels
import MessagePassing
import Nodes

/// What `flotilla` says about the machine that it runs on. Nil where the system does not tell.
public struct NodeFacts: Codable, Sendable, Equatable {
  /// Of flotilla.
  public var version: String
  public var hostName: String
  public var machine: MachineFacts
  /// The fastest kernels that run there.
  public var instructionSet: String
  public var sockets: Int
  /// NUMA domains.
  public var domains: Int
  /// Cores that the process may use.
  public var cores: Int
  /// Logical processors that it may use.
  public var processors: Int
  /// Bytes.
  public var memoryTotal: Int?
  /// Bytes that a process may still take, control groups counted.
  public var memoryAvailable: Int?
  /// Processes that ran or wanted to, over the last minute.
  public var load: Double?
  /// Bytes that may be locked into memory; nil: any number.
  public var lockLimit: Int?
  /// Open files that a process may have; nil: any number.
  public var fileLimit: Int?
  /// Of the MPI library that it was loaded with.
  public var mpi: String
  public var interfaces: [NetworkInterface]
  public var routes: [Route]

  /// - Parameter peers: names or addresses of the other nodes.
  public static func ofThisMachine(version: String, peers: [String]) -> NodeFacts {
    let processors = ProcessorSet.ofThisThread()
    let cores = MachineCores.ofThisMachine(processors)
    let interfaces = NetworkInterface.ofThisMachine()
    return NodeFacts(
      version: version, hostName: ProcessInfo.processInfo.hostName, machine: .ofThisMachine(),
      instructionSet: KernelTable.best.instructionSet.rawValue, sockets: SystemFacts.sockets(),
      domains: cores.domains.count, cores: cores.count(in: processors), processors: processors.numbers.count,
      memoryTotal: MachineMemory.total(), memoryAvailable: MachineMemory.available(),
      load: SystemFacts.load(), lockLimit: SystemFacts.limit(.lockedMemory), fileLimit: SystemFacts.limit(.openFiles),
      mpi: MPISession.libraryVersion, interfaces: interfaces,
      routes: peers.map { Route(to: $0, interfaces: interfaces) })
  }
}
