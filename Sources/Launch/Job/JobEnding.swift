import Nodes

/// How a launched job ended, for the exit code and for the person.
public struct JobEnding: Sendable, Equatable {
  public enum Cause: Sendable, Equatable {
    case done
    case interrupted
    /// A rank or a node was lost, or the ranks could not work together: trying again may help.
    case lost
    case failed(Int32)
  }

  public let cause: Cause
  /// What went wrong, where no rank has said it; empty otherwise.
  public let message: String

  /// flotilla's exit codes.
  private static let (lost, interrupted): (Int32, Int32) = (3, 130)

  /// - Parameters:
  ///   - ending: of mpirun.
  ///   - output: what it printed.
  ///   - hasComplaint: whether the coordinator or another rank has said why.
  ///   - isInterrupted: whether the person wanted the end.
  package init(_ ending: ChildProcess.Ending, _ output: MPIRunOutput, hasComplaint: Bool, isInterrupted: Bool) {
    let loss = output.loss
    switch ending {
    case .exited(0): (cause, message) = (.done, "")
    case .exited(Self.interrupted): (cause, message) = (.interrupted, "")
    case _ where isInterrupted: (cause, message) = (.interrupted, "")
    case .exited(Self.lost) where hasComplaint: (cause, message) = (.lost, "")
    case _ where loss?.signal != nil:
      let loss = loss!
      cause = .lost
      message = "rank \(loss.rank) on host \(loss.host) was lost: it ended by \(loss.signal ?? "")"
    case .exited(let code):
      cause = Self.isLostNode(output) ? .lost : .failed(code)
      message = hasComplaint ? "" : "mpirun ended with code \(code)" + Self.quoted(output)
    case .killed(let signal):
      cause = .failed(128 + signal)
      message = "mpirun was killed by signal \(signal)" + Self.quoted(output)
    case .cancelled: (cause, message) = (.interrupted, "")
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
    case .lost: Self.lost
    case .failed(let code): code
    }
  }
}
