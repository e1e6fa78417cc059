import Foundation
import Glibc
import Kernels

/// Where the status of a run is shown: in the last row of a screen, in a line of standard error that is rewritten, as
/// lines with the time of day in a log, or not at all.
struct StatusDisplay {
  private enum Form { case bar, line, log, none }
  private let form: Form
  private var bar = StatusBar(STDOUT_FILENO)
  private var isLineShown = false
  private var last: RunStatus?
  private var nextShown = 0.0
  private var isWaiting = false

  private static let interval = (screen: 0.2, log: 10.0)
  /// Seconds before the first status on a screen.
  private static let delay = 1.0

  private let errors: PatientOutput

  init(_ terminal: TerminalFacts, errors: PatientOutput, isQuiet: Bool) {
    self.errors = errors
    form =
      isQuiet ? .none : terminal.isOneScreen ? .bar : terminal.showsErrors ? .line : .log
  }

  /// A run that begins anew shows nothing at first: short ones need no status.
  mutating func update(_ status: RunStatus) {
    if last == nil && !isWaiting {
      isWaiting = true
      nextShown = MonotonicClock.seconds() + (form == .log ? Self.interval.log : Self.delay)
    }
    last = status
  }

  /// Shows what is known, if it is time.
  ///
  /// - Parameter isAtLineStart: whether standard error stands at the beginning of a line.
  mutating func tick(isAtLineStart: Bool) {
    let now = MonotonicClock.seconds()
    guard form != .none, now >= nextShown, let last else { return }
    switch form {
    case .bar: bar.show(" " + last.text)
    case .line:
      guard isAtLineStart || isLineShown else { return }
      isLineShown = true
      let columns = TerminalSize(STDERR_FILENO).columns
      write("\r\u{1B}[K" + String(last.text.prefix(columns - 1)))
    case .log:
      write("\(timeOfDay()) \(last.text)\n")
      self.last = nil
    case .none: break
    }
    nextShown = now + (form == .log ? Self.interval.log : Self.interval.screen)
  }

  /// Before something else is written to standard error.
  mutating func makeWay() {
    guard isLineShown else { return }
    isLineShown = false
    write("\r\u{1B}[K")
  }

  /// Takes the status away, for good or until the next update.
  mutating func clear() {
    makeWay()
    bar.hide()
    (last, isWaiting) = (nil, false)
  }

  private func write(_ text: String) { _ = errors.add(Array(text.utf8)) }
}

extension RunStatus {
  /// "decode: 128 tokens, 34.2 tokens/s, slowest rank 3 (n2)"
  var text: String {
    let amount = total.map { "\(tokens) of \($0) tokens" } ?? "\(tokens) tokens"
    let digits = tokensPerSecond < 100 ? 1 : 0
    let rate = tokensPerSecond > 0 ? String(format: ", %.\(digits)f tokens/s", tokensPerSecond) : ""
    let who = slowest.map { ", slowest rank \($0.rank) (\($0.host))" } ?? ""
    return "\(phase.rawValue): \(amount)\(rate)\(who)"
  }
}
