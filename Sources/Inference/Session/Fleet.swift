import ExpertParallel
import Foundation
import Kernels
import MessagePassing

/// The user, or the launcher for them, asked to end.
public struct Interrupted: Error, CustomStringConvertible {
  public let description = "interrupted"
  public init() {}
}

/// How this process was started: by itself, or as one of the ranks of an MPI job.
public final class Fleet {
  public let exchange: any Exchange
  /// The rank that coordinates.
  public let coordinator: Int
  /// What this rank gets of the host's cores.
  public let cores: CoreShare
  private let session: MPISession?
  /// Silence after which a rank is lost, unless told otherwise. Open MPI takes four seconds more to end a job on several
  /// hosts, and ten is what a person should wait at most.
  public static let defaultTimeout = Duration.seconds(4)
  /// The least of it while ranks open files and load: a slow disk is no loss.
  public static let startTimeout = Duration.seconds(10)
  private var mpiExchange: MPIExchange? { exchange as? MPIExchange }

  /// Starts MPI where a launcher announced ranks; a plain start stays without it.
  ///
  /// - Parameters:
  ///   - timeout: silence after which a rank is lost.
  ///   - hub: tells the coordinator's rank from the number of ranks; asked on rank 0, for all. Heartbeats go
  ///     between it and the others.
  ///   - staysInDomain: whether this rank keeps to its own NUMA domains where the host has several.
  public init(timeout: Duration, staysInDomain: Bool = true, hub: (_ ranks: Int) throws -> Int) throws {
    TerminationSignal.install()
    let processors = ProcessorSet.ofThisThread()
    let machine = MachineCores.ofThisMachine(processors)
    guard MPISession.isLaunched else {
      session = nil
      coordinator = try hub(1)
      exchange = InProcessExchange.loopback(hostName: ProcessInfo.processInfo.hostName)
      cores = CoreShare(of: 0, masks: [processors], on: machine)
      return
    }
    CoreTurns.shorten()
    let session = try MPISession.start()
    self.session = session
    coordinator = try Self.agree(on: hub, session.world)
    let exchange = try MPIExchange(
      communicator: session.world, hub: coordinator, timeout: timeout, doorbells: session.doorbells)
    self.exchange = exchange
    if exchange.rankCount > 1 {
      MappedMemory.nameProcess("rank \(exchange.rank) on host \(exchange.hostName(of: exchange.rank)): ")
    }
    cores = try Self.share(processors, machine, session.world, Self.neighbours(exchange))
    if cores.fewestCores == 0 { exchange.outnumbersCores() }
    if staysInDomain { cores.processors?.keepThisThread() }
  }

  /// Every rank tells which processors it may use; those of one host divide them.
  private static func share(
    _ processors: ProcessorSet, _ machine: MachineCores, _ world: Communicator, _ neighbours: [Int]
  ) throws -> CoreShare {
    let masks = try world.allGather(processors.bytes).map { ProcessorSet(bytes: $0) }
    return CoreShare(
      of: neighbours.firstIndex(of: world.rank) ?? 0, masks: neighbours.map { masks[$0] }, on: machine)
  }

  /// Rank 0 decides and tells the others; where it cannot, it alone complains.
  private static func agree(on hub: (Int) throws -> Int, _ world: Communicator) throws -> Int {
    let decided = world.rank == 0 ? Result { try hub(world.size) } : .success(0)
    let text = (try? decided.get()).map(String.init) ?? "none"
    let said = String(decoding: try world.broadcast(Array(text.utf8), root: 0), as: UTF8.self)
    if let rank = Int(said) { return rank }
    _ = try decided.get()
    MPISession.leaveAfterFault(exitCode: 2)
  }

  public var rank: Int { exchange.rank }
  public var rankCount: Int { exchange.rankCount }
  public var hostName: String { exchange.hostName(of: rank) }
  /// Whether the user, or the launcher for them, asked to end.
  public static var isInterrupted: Bool { TerminationSignal.requested }

  /// Asks for the end as Ctrl-C would. From any thread.
  public static func interrupt() { TerminationSignal.request() }

  /// Ctrl-C has been answered and did not mean the end of the process.
  public static func clearInterrupt() { TerminationSignal.clear() }

  /// What `tell` gives on the coordinator, on every rank; asked there only. Every rank comes here.
  ///
  /// - Throws: on the coordinator what `tell` throws; the others then end with it.
  public func share<Value: Codable>(_ tell: () throws -> Value) throws -> Value {
    guard rank == coordinator else {
      return try Announcement.receive(Value.self, from: coordinator, over: exchange)
    }
    let value = try tell()
    try Announcement.send(value, over: exchange)
    return value
  }

  /// Compute threads for this rank: its share of the host's cores.
  public var defaultThreads: Int { cores.threads }

  /// The ranks that share this rank's host, by name.
  func ranksOnThisHost() -> [Int] { Self.neighbours(exchange) }

  private static func neighbours(_ exchange: any Exchange) -> [Int] {
    let host = exchange.hostName(of: exchange.rank)
    return (0..<exchange.rankCount).filter { exchange.hostName(of: $0) == host }
  }

  /// From here on ranks open files and load.
  func starts() { mpiExchange?.allow(silence: Self.startTimeout) }

  /// Files are open and weights loaded: from here on a rank may be silent for no longer than the timeout.
  func hasStarted() { mpiExchange?.allow(silence: nil) }

  /// The orderly end; every rank comes here.
  public func end() throws {
    try mpiExchange?.farewell()
    try session?.finalize()
  }

  /// The end after a fault, for all ranks: one message, from the rank that knows why.
  public func abandon(_ reason: String, exitCode: Int32) -> Never {
    if let mpiExchange { mpiExchange.abandon(reason: reason, exitCode: exitCode) }
    MPISession.complain(reason)
    exit(exitCode)
  }

  /// The end after a fault that another rank tells of: its own word, which carries the exit code, is on its way
  /// and ends this process inside `receive`.
  public func leaveQuietly(exitCode: Int32) -> Never {
    let deadline = ContinuousClock.now + .seconds(3)
    while ContinuousClock.now < deadline {
      guard let message = try? exchange.receive() else {
        guard (try? exchange.idle()) != nil else { break }
        continue
      }
      message.recycle()
    }
    MPISession.leaveAfterFault(exitCode: exitCode)
  }
}
