import Glibc

/// Where a launcher keeps the journal that its coordinator writes.
public protocol LauncherJournal: AnyObject {
  func contents() throws -> [UInt8]
  func append(_ bytes: [UInt8]) throws
}

/// What outlives a job that is started again: what has been shown and typed, and the journal.
public final class JobContinuity {
  public let journal: (any LauncherJournal)?
  var shown = ShownOutput()
  var input = InputForwarding()
  private(set) var jobs = 0

  /// - Parameter journal: nil: the coordinator keeps its own, or none.
  public init(journal: (any LauncherJournal)?) { self.journal = journal }

  func begin() {
    shown.begin()
    input.rewind()
    jobs += 1
  }
}

/// The time of day, for lines in a log: "14:02:11".
public func timeOfDay() -> String {
  var now = time(nil)
  var parts = tm()
  localtime_r(&now, &parts)
  func digits(_ value: Int32) -> String { (value < 10 ? "0" : "") + "\(value)" }
  return [parts.tm_hour, parts.tm_min, parts.tm_sec].map(digits).joined(separator: ":")
}
