import ArgumentParser
import ExpertParallel
import Foundation
import Inference
import Reporting

/// Runs a command's work on all ranks: the coordinator does it, the others serve, and all end together.
///
/// One error ends the job everywhere, printed once, by the rank that knows why.
enum DistributedRun {
  /// - Parameter body: the coordinator's work; it must call `finish()` on the session.
  static func perform(_ options: RunOptions, isQuiet: Bool, body: (RunSession) throws -> Void) throws {
    try perform(timeout: options.timeout, hub: options.coordinator) { fleet in
      try run(options, on: fleet, isQuiet: isQuiet, body: body)
    }
  }

  /// One session of several on the same ranks, which must all come here.
  ///
  /// - Parameter body: the coordinator's work; it must call `finish()` on the session.
  static func run(
    _ options: RunOptions, on fleet: Fleet, isQuiet: Bool, body: (RunSession) throws -> Void
  ) throws {
    let session = try open(options, fleet, isQuiet: isQuiet)
    if session.isCoordinator { try body(session) } else { try session.serve() }
  }

  /// Runs `body` on every rank and ends with all of them.
  ///
  /// - Parameters:
  ///   - staysInDomain: whether ranks keep to their own NUMA domains.
  ///   - hub: tells the coordinator's rank from the number of ranks.
  static func perform(
    timeout: Duration, staysInDomain: Bool = true, hub: (Int) throws -> Int, body: (Fleet) throws -> Void
  ) throws {
    let fleet = try Fleet(timeout: timeout, staysInDomain: staysInDomain, hub: hub)
    do {
      if fleet.rank == fleet.coordinator { try LauncherLink.attach() }
      try body(fleet)
      try StandardOutput.flush()
      try fleet.end()
    } catch {
      try? StandardOutput.flush()
      let status = ExitStatus(of: error).rawValue
      if RunSession.isSaidElsewhere(error) || error is EndedForRestart || isLaunchersWord(error, fleet) {
        fleet.leaveQuietly(exitCode: ExitStatus.fabric.rawValue)
      }
      fleet.abandon(text(error, fleet), exitCode: status)
    }
    if Fleet.isInterrupted { Foundation.exit(ExitStatus.interrupted.rawValue) }
  }

  /// What to do about an mpirun that goes on without a node, since it looks for lost ones after minutes only.
  private static func launchHint(_ error: any Error, _ fleet: Fleet) -> String? {
    guard let error = error as? FabricError, error.reason == .lost, error.host != fleet.hostName else { return nil }
    let environment = ProcessInfo.processInfo.environment
    guard environment["OMPI_COMM_WORLD_SIZE"] != nil, environment["OMPI_MCA_oob_tcp_keepalive_time"] == nil
    else { return nil }
    return "if host \(error.host) is lost, end mpirun with Ctrl-C, twice; with --mca oob_tcp_keepalive_time 1 "
      + "--mca oob_tcp_keepalive_intvl 1 --mca oob_tcp_keepalive_probes 2 it notices that by itself"
  }

  /// Whether a rank that only serves misses others while the launcher ends the job: the launcher says why.
  private static func isLaunchersWord(_ error: any Error, _ fleet: Fleet) -> Bool {
    guard Fleet.isInterrupted, fleet.rank != fleet.coordinator else { return false }
    return error is RankLost || (error as? FabricError)?.reason == .lost
  }

  private static func open(_ options: RunOptions, _ fleet: Fleet, isQuiet: Bool) throws -> RunSession {
    let isCoordinator = fleet.rank == fleet.coordinator
    let line = ProgressLine("Loading", .bytes, isQuiet: isQuiet || !isCoordinator)
    defer { line.finish() }
    let session = try RunSession(options, fleet: fleet, progress: line.update)
    line.finish()
    if isCoordinator && !isQuiet {
      if let warning = session.checkpoint.warning { warn(warning) }
      if let text = session.placement.idleNote { note(text) }
      if !session.formats.inexact.isEmpty { note(session.conversions.joined(separator: "; ")) }
      if let text = fleet.cores.domainsNote { note(text) }
      if let text = session.scalarWarning { warn(text) }
      if let text = session.memoryNote { note(text) }
    }
    return session
  }

  /// Error and hint; ranks say who they are, since what they read lies on their own nodes.
  private static func text(_ error: any Error, _ fleet: Fleet) -> String {
    let (words, hint) = Failure.words(of: error)
    let reason = printable(words) + ((hint ?? launchHint(error, fleet)).map { "\nhint: \(printable($0))" } ?? "")
    let isCoordinator = fleet.rank == fleet.coordinator
    let namesRank = error is FabricError
    guard fleet.rankCount > 1, !isCoordinator || !(namesRank || ExitStatus.isCommon(error)) else { return reason }
    let who = "rank \(fleet.rank) on host \(fleet.hostName)"
    // Names another rank already.
    return namesRank ? "\(reason) (seen from \(who))" : "\(who): \(reason)"
  }
}

/// mpirun ends the job after a loss, and `flotilla launch` will start it again: nothing is to be said.
struct EndedForRestart: Error {}

extension RunOptions {
  /// - Parameter location: of the model; nil: as the options say.
  init(_ model: ModelOptions, _ placement: PlacementOptions, at location: URL? = nil) throws {
    self.init(model: try location ?? model.argument.url(), version: Flotilla.version)
    formats = model.quant.text
    requantizes = model.requantize
    cacheFormat = model.cacheType.format
    threads = model.threads
    checks = model.checks
    hugePages = model.hugePages
    prefillChunk = model.prefillChunk
    microBatches = model.microBatches
    take(placement)
  }

  mutating func take(_ placement: PlacementOptions) {
    self.placement = placement.roles.placement.map { URL(filePath: $0) }
    coordinatorRank = placement.roles.coordinatorRank
    coordinatorExperts = placement.roles.coordinatorExperts
    routerRank = placement.roles.routerRank
    denseSlices = placement.roles.denseSlices
    timeout = placement.silence
  }

  init(
    _ model: ModelOptions, _ sequences: SequenceOptions, _ placement: PlacementOptions, at location: URL? = nil
  ) throws {
    try self.init(model, placement, at: location)
    contextSize = sequences.contextSize
    parallel = sequences.parallel ?? parallel
  }
}
