import Checkpoint
import Foundation
import Kernels
import Push
import Reporting

/// What push says: the plan and the end on standard output, the way there on standard error; or JSON lines.
final class PushOutput {
  private let request: PushRequest
  private let command: String?
  private let hasPlacementFile: Bool
  private let json: Bool
  private let isQuiet: Bool
  private let terminal = Terminal.standardError
  private let started = MonotonicClock.seconds()
  private var pace = Pace()
  private var paces: [Pace]
  private var nextShown: Double
  private var shown = 0

  /// In seconds.
  private static let interval = (terminal: 0.2, log: 10.0, json: 1.0)

  /// - Parameter command: the line that runs what was pushed.
  init(_ request: PushRequest, command: String?, hasPlacementFile: Bool, json: Bool, isQuiet: Bool) {
    self.request = request
    self.command = command
    self.hasPlacementFile = hasPlacementFile
    self.json = json
    self.isQuiet = isQuiet
    paces = request.plan.nodes.map { _ in Pace() }
    nextShown = started + (json ? 0 : terminal.isInteractive ? Self.interval.terminal : Self.interval.log)
  }

  // MARK: - Before

  /// Says that the nodes are asked, which takes a while where one is away.
  func asking() {
    guard !json, !isQuiet else { return }
    let count = request.plan.nodes.count
    StandardError.write("Asking \(count) node\(count == 1 ? "" : "s") what \(count == 1 ? "it has" : "they have") …\n")
  }

  /// - Parameter lines: command lines to show.
  func plan(_ states: [NodeState], lines: [String]) throws {
    if json { return try write(PushReport(request, states, lines: lines)) }
    guard !isQuiet || !lines.isEmpty else { return }
    var text = PushTable(request: request, states: states).text
    if request.plan.nodes.allSatisfy({ !$0.bundles.contains(.mtp) }),
      request.manifest.bundles.contains(where: { $0.name == .mtp })
    {
      text += "  mtp is not sent, since nothing reads it; --mtp sends it with the dense part.\n"
    }
    if !lines.isEmpty {
      text += "\nrsync lines, files counted (--json names each):\n" + lines.map { "  \($0)\n" }.joined()
    }
    try StandardOutput.write(text)
    try StandardOutput.flush()
  }

  func rsyncLines(_ state: NodeState) -> [String] {
    guard case .waiting = state.phase else { return [] }
    return json
      ? request.commands(state.host, state.bundles).map { PushRequest.line($0) }
      : request.summaries(state.host, state.bundles)
  }

  // MARK: - On the way

  /// Says what is new. Cheap enough to be called often.
  func tell(_ run: PushRun) {
    let states = run.states
    for event in run.takeEvents() { say(event, states) }
    let now = MonotonicClock.seconds()
    pace.add(states.reduce(0) { $0 + $1.sent }, at: now)
    for (node, state) in states.enumerated() { paces[node].add(Self.done(state.phase), at: now) }
    guard now >= nextShown else { return }
    nextShown = now + (json ? Self.interval.json : terminal.isInteractive ? Self.interval.terminal : Self.interval.log)
    let active = states.filter { Self.isActive($0.phase) }
    guard !active.isEmpty, !isQuiet else { return clear() }
    if json {
      for state in active { try? write(NodeProgress(state, event: "progress")) }
      return
    }
    let lines =
      states.indices.filter { Self.isActive(states[$0].phase) }.map { line(states[$0], paces[$0]) }
      + [total(states)]
    if terminal.isInteractive {
      clear()
      StandardError.write(lines.map { String($0.prefix(terminal.width - 1)) + "\n" }.joined())
      shown = lines.count
    } else {
      let time = Self.time()
      StandardError.write(lines.map { "\(time) \($0)\n" }.joined())
    }
  }

  /// Removes the lines that change.
  func finish() { clear() }

  private func clear() {
    if shown > 0 { StandardError.write("\u{1B}[\(shown)A\u{1B}[J") }
    shown = 0
  }

  private func say(_ event: PushEvent, _ states: [NodeState]) {
    clear()
    let state = states[event.node]
    if json { return sayJSON(event, state) }
    let stamp = terminal.isInteractive ? "" : "\(Self.time()) "
    switch event.kind {
    case .note(let text): if !isQuiet { note("\(state.host): \(text)") }
    case .warning(let text): warn("\(state.host): \(text)")
    case .damage(let damage):
      warn("\(state.host): \(damage.file): \(damage.subject): expected \(damage.expected), found \(damage.found)")
    // Told as an error at the end.
    case .failed: break
    case .settled: if !isQuiet, let text = end(state, states) { StandardError.write("\(stamp)\(printable(text))\n") }
    }
  }

  private func sayJSON(_ event: PushEvent, _ state: NodeState) {
    switch event.kind {
    case .note(let text): try? write(NodeWord(event: "note", node: state.host, text: text))
    case .warning(let text): try? write(NodeWord(event: "warning", node: state.host, text: text))
    case .damage(let damage): try? write(NodeDamage(state.host, damage))
    case .failed(let error): try? write(NodeWord(event: "failed", node: state.host, text: error.text))
    case .settled: try? write(NodeProgress(state, event: "settled"))
    }
  }

  private func end(_ state: NodeState, _ states: [NodeState]) -> String? {
    switch state.phase {
    case .finished:
      "\(state.host): done, \(Format.bytes(state.sent)) sent, \(state.bundles.count) "
        + "\(state.bundles.count == 1 ? "bundle" : "bundles") verified by \(state.verifier ?? "")"
    case .sharesSource:
      "\(state.host): sees this very folder on a shared file system: nothing to push"
    case .shares(let first):
      "\(state.host): sees the folder of \(states[first].host) on a shared file system: sent there once, for both"
    case .failed: "\(state.host): failed"
    default: nil
    }
  }

  private static func isActive(_ phase: NodeState.Phase) -> Bool {
    switch phase {
    case .sending, .verifying: true
    default: false
    }
  }

  private static func done(_ phase: NodeState.Phase) -> Int {
    switch phase {
    case .sending(let done, _), .verifying(let done, _): done
    default: 0
    }
  }

  private func line(_ state: NodeState, _ pace: Pace) -> String {
    func amount(_ done: Int, _ total: Int) -> String {
      let share = total > 0 ? Int(Double(done) / Double(total) * 100) : 100
      let text = "\(share) %, \(Format.bytes(done)) of \(Format.bytes(total))"
      guard done < total, let rate = pace.rate else { return text }
      return text + ", \(Format.bytes(Int(rate)))/s, \(Format.seconds(Double(total - done) / rate)) left"
    }
    return switch state.phase {
    case .sending(let done, let total): "\(state.host): sending \(amount(done, total))"
    case .verifying(let done, let total): "\(state.host): verifying \(amount(done, total))"
    default: state.host
    }
  }

  private func total(_ states: [NodeState]) -> String {
    let pushed = states.filter { if case .shares = $0.phase { false } else { $0.phase != .sharesSource } }
    let done = pushed.count { $0.phase == .finished }
    let wanted = pushed.reduce(0) { $0 + $1.bytes - ($1.present ?? 0) }
    let sent = pushed.reduce(0) { $0 + $1.sent }
    var text = "all: \(done) of \(pushed.count) nodes done, \(Format.bytes(sent)) of \(Format.bytes(wanted)) sent"
    guard sent < wanted, let rate = pace.rate else { return text }
    text += ", \(Format.bytes(Int(rate)))/s, \(Format.seconds(Double(wanted - sent) / rate)) left"
    return text
  }

  private static func time() -> String {
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.dateFormat = "HH:mm:ss"
    return formatter.string(from: Date())
  }

  // MARK: - After

  func summary(_ states: [NodeState]) throws {
    let seconds = MonotonicClock.seconds() - started
    let sent = states.reduce(0) { $0 + $1.sent }
    if json {
      return try write(
        PushEnd(event: "finished", nodes: states.count, sent: sent, seconds: seconds, run: command))
    }
    guard !isQuiet else { return }
    let done = states.count { $0.phase == .finished }
    let shared = states.count - done
    guard done > 0 else {
      return try StandardOutput.write(
        "Nothing to push: every node sees this folder. flotilla inspect FOLDER --verify compares its hashes.\n"
          + howToRun)
    }
    try StandardOutput.write(
      "Pushed: \(done) node\(done == 1 ? "" : "s") verified, \(Format.bytes(sent)) sent in \(Format.seconds(seconds))"
        + (shared > 0 ? "; \(shared) on a shared file system.\n" : ".\n") + howToRun)
  }

  private var howToRun: String {
    guard let command else { return "" }
    let note = "The placement file must lie on every node at the same path; push does not send it.\n"
    return (hasPlacementFile ? note : "") + "To run it:\n  \(command)\n"
  }

  private func write(_ value: some Encodable) throws {
    try StandardOutput.write(JSONLines.line(value))
    try StandardOutput.flush()
  }
}

/// Bytes a second over the last seconds: what a resumed file skips at its start would promise too much for hours.
private struct Pace {
  private var samples: [(time: Double, bytes: Int)] = []
  private static let window = 20.0

  mutating func add(_ bytes: Int, at time: Double) {
    if let last = samples.last, time - last.time < 0.5 { return }
    // Another phase, or another attempt.
    if let last = samples.last, bytes < last.bytes { samples = [] }
    samples.append((time, bytes))
    samples.removeAll { time - $0.time > Self.window }
  }

  var rate: Double? {
    guard let first = samples.first, let last = samples.last, last.bytes > first.bytes else { return nil }
    return Double(last.bytes - first.bytes) / (last.time - first.time)
  }
}
