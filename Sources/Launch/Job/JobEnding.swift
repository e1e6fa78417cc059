import Foundation
import Glibc
import Nodes

/// How a launched job ended, for the exit code and for the person.
public struct JobEnding: Sendable, Equatable {
  public enum Cause: Sendable, Equatable {
    case done
    case interrupted
    /// A rank or a node was lost, or the ranks could not work together: trying again may help.
    case lost
    case failed(Int32)
    /// The ranks had not found each other in time.
    case notStarted
  }

  public let cause: Cause
  /// What went wrong, where no rank has said it; empty otherwise.
  public let message: String
  /// How the lost rank ended, where that is known and no message says it; empty otherwise.
  public let remark: String
  /// What went wrong, whoever said it; empty where nothing did.
  public let reason: String
  /// Whether daemons of mpirun may be gone that would have tidied up.
  public private(set) var leavesRemains = false

  /// flotilla's exit codes.
  private static let (lost, interrupted): (Int32, Int32) = (3, 130)

  /// - Parameters:
  ///   - ending: of mpirun.
  ///   - output: what it printed.
  ///   - complaint: why, as the coordinator or another rank has said it; nil where none has.
  ///   - isInterrupted: whether the person wanted the end.
  package init(_ ending: ChildProcess.Ending, _ output: MPIRunOutput, complaint: String?, isInterrupted: Bool) {
    let (cause, message) = Self.judged(ending, output, complaint: complaint, isInterrupted: isInterrupted)
    (self.cause, self.message, reason) = (cause, message, message.isEmpty ? complaint ?? "" : message)
    leavesRemains = output.lostNode != nil || ending == .killed(SIGKILL)
    remark =
      if cause == .lost, message.isEmpty, let loss = output.loss, let signal = loss.signal {
        "rank \(loss.rank) on host \(loss.host) ended by \(signal)"
      } else {
        ""
      }
  }

  /// The launcher itself ended it.
  ///
  /// - Parameter complaint: why, where a rank has said it and the person has seen it.
  init(_ cause: Cause, _ message: String, _ complaint: String? = nil) {
    (self.cause, self.message, reason, remark) = (cause, message, complaint ?? message, "")
    leavesRemains = cause == .lost
  }

  static func notStarted(after seconds: Double, _ isOnNetwork: Bool, _ output: MPIRunOutput) -> JobEnding {
    let limit = String(format: "%g", seconds)
    let hint =
      isOnNetwork
      ? "a node takes the remote shell's command and cannot connect back to this machine: a firewall, or a name or "
        + "--network that leads elsewhere. flotilla doctor with the same nodes tells; --start-limit gives more time"
      : "--verbose shows what mpirun says; --start-limit gives more time"
    return JobEnding(
      .notStarted,
      "the ranks had not found each other \(limit) s after mpirun was started"
        + (output.banners.isEmpty ? "" : ":\n" + output.banners.joined(separator: "\n")) + ". Hint: \(hint)")
  }

  private static func judged(
    _ ending: ChildProcess.Ending, _ output: MPIRunOutput, complaint: String?, isInterrupted: Bool
  ) -> (Cause, String) {
    let loss = output.loss
    let hasComplaint = complaint != nil
    switch ending {
    case .exited(0): return (.done, "")
    case .exited(Self.interrupted): return (.interrupted, "")
    case _ where isInterrupted: return (.interrupted, "")
    case .exited(Self.lost) where hasComplaint: return (.lost, "")
    case _ where loss?.signal != nil:
      let loss = loss!
      let rank = "rank \(loss.rank) on host \(loss.host)"
      // A rank that waited for this one has said so, and where the run stood.
      if complaint?.hasPrefix(rank + ": ") == true { return (.lost, "") }
      return (.lost, "\(rank) was lost: it ended by \(loss.signal ?? "")")
    case .exited where output.lostNode != nil:
      let node = "node \(output.lostNode!)"
      return (.lost, hasComplaint ? "" : "\(node) was lost: mpirun's daemon there has ended, or the way to it is cut")
    case .exited(let code):
      let message = hasComplaint ? "" : "mpirun ended with code \(code)" + Self.quoted(output)
      return (Self.isLostNode(output) ? .lost : .failed(code), message)
    case .killed(let signal):
      return (.failed(128 + signal), "mpirun was killed by signal \(signal)" + Self.quoted(output))
    case .cancelled: return (.interrupted, "")
    }
  }

  private static func isLostNode(_ output: MPIRunOutput) -> Bool {
    let marks = ["lost communication", "has lost", "daemon", "unreachable", "Node is down"]
    return output.banners.contains { text in marks.contains { text.contains($0) } }
  }

  private static func quoted(_ output: MPIRunOutput) -> String {
    let text = output.banners.joined(separator: "\n")
    return text.isEmpty ? ", without a word why" : ":\n" + text
  }

  /// As flotilla's commands end.
  public var exitCode: Int32 {
    switch cause {
    case .done: 0
    case .interrupted: Self.interrupted
    case .lost, .notStarted: Self.lost
    case .failed(let code): code
    }
  }
}
