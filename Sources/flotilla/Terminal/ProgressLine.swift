import Foundation
import Kernels
import Reporting

/// How far long work is, on standard error: one line that is rewritten on a terminal; elsewhere a plain line
/// every few seconds, so that logs stay short.
final class ProgressLine {
  /// How amounts are shown. Steps take longer or shorter, so they say nothing about the time that is left; groups of
  /// nodes do.
  enum Unit { case bytes, tokens, steps, groups }

  private let label: String
  private let unit: Unit
  private let isQuiet: Bool
  private let terminal: Terminal
  private let started: Double
  private var nextShown: Double
  private var isShown = false

  /// Work that takes less than this shows nothing in a log, and nothing at first on a terminal.
  private static let firstShown = (terminal: 0.25, log: 5.0)
  private static let interval = (terminal: 0.1, log: 10.0)
  /// Seconds before there is a rate: what comes first is no measure of the rest.
  private static let firstEstimate = 1.0

  init(_ label: String, _ unit: Unit, isQuiet: Bool = false, terminal: Terminal = .standardError) {
    self.label = label
    self.unit = unit
    self.isQuiet = isQuiet
    self.terminal = terminal
    started = MonotonicClock.seconds()
    nextShown = started + (terminal.isInteractive ? Self.firstShown.terminal : Self.firstShown.log)
  }

  /// Cheap enough to be called often.
  func update(_ done: Int, of total: Int) { update(done, of: total, now: nil) }

  /// - Parameter now: what is being done.
  func update(_ done: Int, of total: Int, now what: String?) {
    guard !isQuiet else { return }
    let now = MonotonicClock.seconds()
    guard now >= nextShown else { return }
    nextShown = now + (terminal.isInteractive ? Self.interval.terminal : Self.interval.log)
    let text = Self.text(
      label + (what.map { " \($0)" } ?? ""), unit, done: done, total: total, seconds: now - started)
    if terminal.isInteractive {
      isShown = true
      StandardError.write("\r\u{1B}[K" + String(text.prefix(terminal.width - 1)))
    } else {
      StandardError.write(text + "\n")
    }
  }

  /// Removes the line.
  func finish() {
    if isShown { StandardError.write("\r\u{1B}[K") }
    isShown = false
  }

  deinit { finish() }

  /// An estimate is no better than whole seconds.
  private static func timeLeft(_ seconds: Double) -> String {
    if seconds < 1 { return "under 1 s" }
    return seconds < 99.5 ? "\(Int(seconds.rounded())) s" : Format.seconds(seconds)
  }

  /// "Writing: 45 %, 1.20 GiB of 2.66 GiB, 512 MiB/s, 3 s left"
  static func text(_ label: String, _ unit: Unit, done: Int, total: Int, seconds: Double) -> String {
    let amount: (Double) -> String = { value in
      switch unit {
      case .bytes: Format.bytes(Int(value))
      case .tokens, .steps, .groups: Format.count(Int(value))
      }
    }
    let share = total > 0 ? min(100, Int(Double(done) / Double(total) * 100)) : 0
    var text = "\(label): \(share) %, \(amount(Double(done))) of \(amount(Double(total)))"
    if unit == .tokens { text += " tokens" }
    guard done > 0, seconds >= firstEstimate, unit != .steps else { return text }
    let rate = Double(done) / seconds
    if unit != .groups { text += ", \(amount(rate))/s" }
    if done < total { text += ", \(timeLeft(Double(total - done) / rate)) left" }
    return text
  }
}
