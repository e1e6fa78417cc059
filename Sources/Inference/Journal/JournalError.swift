import Checkpoint
import Foundation

/// What is wrong with a journal: the file, the line and field, what was expected, what was found, what to do.
public struct JournalError: Error, CustomStringConvertible, Equatable {
  public let path: String
  /// Counted from 1; nil where it is about the file as a whole.
  public let line: Int?
  public let subject: String
  public let expected: String
  public let found: String
  public let hint: String
  /// The system refused: the same command may work later.
  public let isFailure: Bool

  init(
    path: String, line: Int? = nil, subject: String, expected: String, found: String, hint: String,
    isFailure: Bool = false
  ) {
    self.path = path
    self.line = line
    self.subject = subject
    self.expected = expected
    self.found = found
    self.hint = hint
    self.isFailure = isFailure
  }

  package static func system(_ path: String, _ action: String, _ code: Int32, hint: String? = nil) -> JournalError {
    let refusal = WriteRefusal(code)
    let usual =
      refusal.isFull
      ? WriteRefusal.room + ", then go on with --resume." : "Check the folder and its permissions."
    return JournalError(
      path: path, subject: "journal", expected: "to \(action) it", found: refusal.found, hint: hint ?? usual,
      isFailure: !refusal.isOfPath)
  }

  public var description: String {
    let place = line.map { "line \($0): " } ?? ""
    return "\(path): \(place)\(subject): expected \(expected), found \(found). Hint: \(hint)"
  }
}
