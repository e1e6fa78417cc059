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
      if RunSession.isSaidElsewhere(error) { fleet.leaveQuietly(exitCode: ExitStatus.fabric.rawValue) }
      fleet.abandon(text(error, fleet), exitCode: status)
    }
    if Fleet.isInterrupted { Foundation.exit(ExitStatus.interrupted.rawValue) }
  }

  private static func open(_ options: RunOptions, _ fleet: Fleet, isQuiet: Bool) throws -> RunSession {
    let isCoordinator = fleet.rank == fleet.coordinator
    let line = ProgressLine("Loading", .parameters, isQuiet: isQuiet || !isCoordinator)
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

  /// Error and hint; ranks other than the coordinator say who they are.
  private static func text(_ error: any Error, _ fleet: Fleet) -> String {
    let (words, hint) = Failure.words(of: error)
    let reason = printable(words) + (hint.map { "\nhint: \(printable($0))" } ?? "")
    guard fleet.rank != fleet.coordinator else { return reason }
    let who = "rank \(fleet.rank) on host \(fleet.hostName)"
    // Names another rank already.
    return error is FabricError ? "\(reason) (seen from \(who))" : "\(who): \(reason)"
  }
}

extension RunOptions {
  init(_ model: ModelOptions, _ placement: PlacementOptions) throws {
    self.init(model: try model.argument.url(), version: Flotilla.version)
    formats = model.quant.text
    requantizes = model.requantize
    cacheFormat = model.cacheType.format
    threads = model.threads
    checks = model.checks
    prefillChunk = model.prefillChunk
    microBatches = model.microBatches
    self.placement = placement.roles.placement.map { URL(filePath: $0) }
    coordinatorRank = placement.roles.coordinatorRank
    coordinatorExperts = placement.roles.coordinatorExperts
    routerRank = placement.roles.routerRank
    timeout = placement.silence
  }

  init(_ model: ModelOptions, _ sequences: SequenceOptions, _ placement: PlacementOptions) throws {
    try self.init(model, placement)
    contextSize = sequences.contextSize
    parallel = sequences.parallel
  }
}
