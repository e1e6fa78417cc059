import ExpertParallel
import Foundation
import Inference
import Kernels
import Launch

/// The link to `flotilla launch` of the process that coordinates; plain starts have none.
enum LauncherLink {
  /// Set once, before anything is printed. Commands run on the main thread only.
  nonisolated(unsafe) private(set) static var current: CoordinatorLink?
  nonisolated(unsafe) private static var nextReport = 0.0

  private static let interval = 0.25

  /// On the coordinator's rank only.
  static func attach() throws {
    guard current == nil else { return }
    // A launcher that is gone shows as an error of the stream.
    signal(SIGPIPE, SIG_IGN)
    current = try CoordinatorLink.attach { Fleet.interrupt() }
  }

  /// Puts the launcher's standard input behind this process's own, where there is a launcher.
  static func takeInput() throws(InputError) {
    do { try current?.takeInput() } catch { throw InputError("standard input: \(error)") }
  }

  /// Whether this run goes on with what one before it, of the same launcher, has left.
  static var isRestart: Bool { current?.invitation.isRestart ?? false }

  /// Whether a signal to end can only be mpirun's after a loss, behind which the launcher starts the job again.
  static var isToBeRestarted: Bool { current.map { $0.invitation.canRestart && !$0.isEndWanted } ?? false }

  /// The journal that the launcher holds; nil where there is no launcher, or it holds none.
  ///
  /// - Parameter path: for errors.
  static func openJournal(_ path: String) throws -> (contents: [UInt8], sink: LinkedJournal)? {
    guard let current, current.invitation.holdsJournal else { return nil }
    let (contents, descriptor) = try current.openJournal()
    return (contents, LinkedJournal(path: path, descriptor: descriptor))
  }

  /// Tells how far a run is, a few times a second.
  static func report(_ session: RunSession) {
    guard let current, let engine = session.engine else { return }
    let now = MonotonicClock.seconds()
    guard now >= nextReport else { return }
    nextReport = now + interval
    current.report(RunStatus(engine.statistics, total: engine.promptTokens, slowest: session.slowestRank))
  }
}

extension RunStatus {
  /// - Parameter total: tokens of all prompts.
  init(_ statistics: EngineStatistics, total: Int, slowest: Slowest?) {
    func rate(_ tokens: Int, _ seconds: Double) -> Double { seconds > 0 ? Double(tokens) / seconds : 0 }
    if statistics.promptTokens < total {
      self.init(
        phase: .prefill, tokens: statistics.promptTokens, total: total,
        tokensPerSecond: rate(statistics.promptTokens, statistics.prefillSeconds), slowest: slowest)
    } else {
      self.init(
        phase: .decode, tokens: statistics.generatedTokens,
        tokensPerSecond: rate(statistics.tokensInDecodeSteps, statistics.decodeSeconds), slowest: slowest)
    }
  }
}

extension RunSession {
  /// The rank that most often answered last; nil where one rank does everything.
  var slowestRank: RunStatus.Slowest? {
    guard fleet.rankCount > 1, let rank = fabric?.slowestRank else { return nil }
    return RunStatus.Slowest(rank: rank, host: fleet.exchange.hostName(of: rank))
  }
}
