import Checkpoint
import ExpertParallel
import Foundation
import Inference
import Kernels
import Launch
import MessagePassing
import Nodes
import Reporting
import Tokenization

/// What the exit code of the process says.
enum ExitStatus: Int32 {
  case success = 0
  /// The run failed.
  case failure = 1
  /// The options or the input are wrong: trying again will not help.
  case usage = 2
  /// A rank was lost, or the ranks could not work together.
  case fabric = 3
  /// Ended by the person, as shells count SIGINT.
  case interrupted = 130
}

/// Options or input that make no sense, in words for the person who gave them.
struct UsageError: Error, CustomStringConvertible {
  let description: String
  /// - Parameter hint: what to do instead.
  init(_ text: String, hint: String? = nil) { description = text + (hint.map { ". Hint: \($0)" } ?? "") }
}

/// An error with the exit status it deserves here, where its type says something else.
struct Failure: Error {
  let cause: any Error
  let status: ExitStatus
}

extension ExitStatus {
  init(of error: any Error) {
    switch error {
    case let failure as Failure: self = failure.status
    case let error as CheckpointError where error.isOfDisk: self = .failure
    case is UsageError, is CheckpointError, is TokenizationError, is PlacementError, is RequestError,
      is UnknownInstructionSet, is InputError, is BuiltInModelError, is HostfileError, is LaunchError,
      is RecordReadingError:
      self = .usage
    case let error as RecordError: self = WriteRefusal(error.code).isOfPath ? .usage : .failure
    case let error as RoutingRecordError: self = error.isFailure ? .failure : .usage
    case let error as CalibrationError: self = error.isFailure ? .failure : .usage
    case let error as LogitsFileError: self = error.isFailure ? .failure : .usage
    case let error as FabricError where error.reason == .unusable: self = .usage
    case let error as JournalError: self = error.isFailure ? .failure : .usage
    case let error as NodeError: self = error.isUsage ? .usage : .failure
    case is FabricError, is RankLost, is MPIError, is MPIExchangeError, is LinkError: self = .fabric
    case is Interrupted: self = .interrupted
    default: self = .failure
    }
  }
}

extension ExitStatus {
  /// Whether an error lies in what all ranks were given, so that no one of them can be named for it.
  static func isCommon(_ error: any Error) -> Bool {
    switch error {
    case is UsageError, is PlacementError, is RequestError, is InputError, is RecordError, is UnknownInstructionSet,
      is Interrupted:
      true
    default: false
    }
  }
}

extension Failure {
  /// The error's text and what a person can do about it.
  static func words(of error: any Error) -> (text: String, hint: String?) {
    switch error {
    case let failure as Failure: return words(of: failure.cause)
    case let error as PlacementError:
      var bare = error
      bare.hint = ""
      return (bare.description, error.hint.isEmpty ? nil : error.hint)
    case is CocoaError, is POSIXError: return split(error.localizedDescription)
    default: return split("\(error)")
    }
  }

  private static func split(_ text: String) -> (String, String?) {
    guard let range = text.range(of: " Hint: ", options: [.backwards, .literal]) else { return (text, nil) }
    var start = text[..<range.lowerBound]
    if start.last == "." { start.removeLast() }
    return (String(start), String(text[range.upperBound...]))
  }

  /// ArgumentParser says "Error: "; we say "error: " everywhere.
  static func lowercased(_ text: String) -> String {
    text.utf8.starts(with: "Error: ".utf8) ? "error: " + text.dropFirst(7) : text
  }

  /// The lines for standard error.
  static func message(_ error: any Error) -> String {
    if let failure = error as? Failure { return message(failure.cause) }
    if let failures = error as? NodeFailures { return failures.errors.map(message).joined() }
    let (text, hint) = words(of: error)
    return "error: \(printable(text))\n" + (hint.map { "hint: \(printable($0))\n" } ?? "")
  }
}

/// Says what went wrong and ends the process.
func fail(_ error: any Error) -> Never {
  StandardError.write(Failure.message(error))
  exit(ExitStatus(of: error).rawValue)
}

/// Says something worth knowing that is no fault, on standard error.
func note(_ text: String) { StandardError.write("note: \(printable(text))\n") }

/// Says something that a person should know, on standard error.
func warn(_ text: String) { StandardError.write("warning: \(printable(text))\n") }
