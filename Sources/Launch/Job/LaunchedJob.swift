import Foundation
import Glibc
import Kernels
import Nodes

/// A job under mpirun, seen from outside: this process owns the terminal, and the coordinator talks to it over a
/// socket. One thread waits for everything.
public final class LaunchedJob {
  /// What this process reads and writes for the job.
  public static func terminalFacts(
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> TerminalFacts {
    let isDumb = environment["TERM"] == "dumb"
    let (output, errors) = (isatty(STDOUT_FILENO) == 1 && !isDumb, isatty(STDERR_FILENO) == 1 && !isDumb)
    return TerminalFacts(
      hasInput: isatty(STDIN_FILENO) == 1, showsOutput: output, showsErrors: errors,
      isOneScreen: output && errors && isSameFile(STDOUT_FILENO, STDERR_FILENO),
      columns: TerminalSize(output ? STDOUT_FILENO : STDERR_FILENO).columns,
      isColored: (environment["NO_COLOR"] ?? "").isEmpty)
  }

  private static func isSameFile(_ a: Int32, _ b: Int32) -> Bool {
    var (first, second) = (stat(), stat())
    return fstat(a, &first) == 0 && fstat(b, &second) == 0 && first.st_dev == second.st_dev
      && first.st_ino == second.st_ino
  }

  private let settings: Settings
  private let continuity: JobContinuity
  private let listener: LauncherListener
  private let terminal: TerminalFacts
  private var display: StatusDisplay
  private let prompt = LinePrompt()
  private let standardOutput = PatientOutput(STDOUT_FILENO)
  private let standardError = PatientOutput(STDERR_FILENO)
  private var sources: [JobSource] = []
  private var mpirun: pid_t = 0
  private var ending: ChildProcess.Ending?
  private var endedAt = 0.0
  private var output = MPIRunOutput()
  private var errorsScan = ComplaintScan()
  private var control: Int32?
  private var interrupts = 0
  private var startedAt = 0.0
  private var hasStarted = false
  /// Why the launcher itself ends the job.
  private var verdict: JobEnding?
  private var killAt: Double?
  /// Whether the job must end, and not only what it is at.
  private var mustEnd = false
  /// When the coordinator was gone, or had said why it ends, and mpirun was still there.
  private var leftAt: Double?

  /// How long the job may take to end in order, and output to arrive behind its end, in seconds.
  private static let (patience, drain) = (15.0, 1.0)
  /// How long mpirun may take to end when the coordinator has ended with an error, and when it just ended. A node that
  /// is frozen keeps it waiting for ever.
  private static let (patienceAfterError, patienceAfterEnd) = (5.0, 30.0)

  /// How a job is started and watched.
  public struct Settings: Sendable {
    /// The line that starts the job.
    public var words: [String]
    /// Whether the coordinator may run on another machine.
    public var isOnNetwork: Bool
    /// No status.
    public var isQuiet = false
    /// Everything that mpirun says.
    public var isVerbose = false
    /// Seconds within which the ranks must have found each other. mpirun waits for ever for a node that takes the
    /// remote shell's command and cannot connect back.
    public var startLimit: Double
    /// Whether the job will be started again after a loss.
    public var canRestart = false

    public init(_ words: [String], isOnNetwork: Bool, startLimit: Double) {
      (self.words, self.isOnNetwork, self.startLimit) = (words, isOnNetwork, startLimit)
    }
  }

  /// What the ranks of this job have in their environment, and nobody else.
  public var secret: String { listener.secret }

  public init(_ settings: Settings, _ continuity: JobContinuity) throws {
    self.settings = settings
    self.continuity = continuity
    terminal = Self.terminalFacts()
    display = StatusDisplay(terminal, errors: standardError, isQuiet: settings.isQuiet)
    listener = try LauncherListener(isOnNetwork: settings.isOnNetwork)
  }

  /// Starts the job, serves it and waits for its end.
  public func run() throws -> JobEnding {
    defer { listener.close() }
    signal(SIGPIPE, SIG_IGN)
    let signals = try SignalPipe([SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGWINCH])
    defer { signals.close() }
    var invitation = Invitation(secret: listener.secret, addresses: listener.addresses, terminal: terminal)
    invitation.holdsJournal = continuity.journal != nil
    invitation.isRestart = continuity.jobs > 0
    invitation.canRestart = settings.canRestart
    continuity.begin()
    setenv(Invitation.variable, invitation.text, 1)
    defer { unsetenv(Invitation.variable) }
    try start(signals)
    defer { leaveTerminal() }
    while !isOver() {
      wait(signals)
      display.tick(isAtLineStart: errorsScan.isAtLineStart)
      enforceEnd()
    }
    pass(output.finish(), to: STDERR_FILENO)
    let found = JobEnding(
      ending ?? .cancelled, output, complaint: errorsScan.complaint ?? output.complaint, isInterrupted: interrupts > 0)
    if found.cause == .done, !continuity.shown.isCaughtUp { return Self.otherText }
    return verdict ?? found
  }

  private func isOver() -> Bool {
    guard ending != nil else { return false }
    // Output waits for whoever reads it, unless the person has waited enough.
    if isHeldUp && interrupts == 0 { endedAt = MonotonicClock.seconds() }
    let isLate = MonotonicClock.seconds() - endedAt > Self.drain
    guard isLate || !sources.contains(where: \.carriesOutput) else { return false }
    return isLate && interrupts > 0 || standardOutput.isIdle(within: 0.1) && standardError.isIdle(within: 0.1)
  }

  /// Whether somebody reads no more of what is shown, for now.
  private var isHeldUp: Bool { standardOutput.isFull || standardError.isFull }

  private func start(_ signals: SignalPipe) throws {
    let (out, err) = (try Descriptor.newPipe(), try Descriptor.newPipe())
    let null = open("/dev/null", O_RDONLY | O_CLOEXEC)
    defer { for descriptor in [out.write, err.write, null] { close(descriptor) } }
    do {
      mpirun = try ChildProcess.spawn(settings.words, [null, out.write, err.write])
    } catch {
      throw LaunchError(
        "\(settings.words[0]): expected Open MPI's mpirun, found nothing to start",
        hint: "install openmpi-bin")
    }
    startedAt = MonotonicClock.seconds()
    sources = [JobSource(out.read, .mpirunOutput), JobSource(err.read, .mpirunErrors)]
    sources += listener.descriptors.map { JobSource($0, .listener) }
    sources.append(JobSource(signals.descriptor, .signals))
  }

  // MARK: Waiting

  private func wait(_ signals: SignalPipe) {
    let isHeldUp = isHeldUp
    let watched = sources.filter { continuity.input.wants($0) && !(isHeldUp && $0.isShown) }
    var polled = watched.map { pollfd(fd: $0.descriptor, events: $0.events(continuity.input), revents: 0) }
    let wantsKeys = prompt.isAsking || continuity.input.wantsMore
    if wantsKeys { polled.append(pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)) }
    guard poll(&polled, nfds_t(polled.count), 100) > 0 else { return }
    // Standard output first: what was written before an error is seen before it.
    let ready = zip(watched, polled).filter { $1.revents != 0 }.map(\.0).sorted { $0.kind.order < $1.kind.order }
    for source in ready { serve(source, signals) }
    if wantsKeys, polled.last!.revents != 0 { takeKeys() }
  }

  private func serve(_ source: JobSource, _ signals: SignalPipe) {
    switch source.kind {
    case .listener: accept(source)
    case .signals: for signal in signals.take() { obey(signal) }
    case .input: if !continuity.input.send() { drop(source) }
    case .greeting: greet(source)
    default:
      let bytes = Descriptor.read(source.descriptor)
      if bytes.isEmpty { return drop(source) }
      take(bytes, from: source)
    }
  }

  private func take(_ bytes: [UInt8], from source: JobSource) {
    switch source.kind {
    case .mpirunOutput: pass(bytes, to: STDOUT_FILENO)
    case .output: show(bytes)
    case .errors: complain(bytes)
    case .screen:
      for piece in source.screen.add(bytes) {
        switch piece {
        case .output(let bytes): show(bytes)
        case .errors(let bytes): complain(bytes)
        }
      }
    case .mpirunErrors:
      if settings.isVerbose { pass(bytes, to: STDERR_FILENO) }
      let shown = output.add(bytes)
      if !settings.isVerbose { pass(shown, to: STDERR_FILENO) }
    case .control: hear(bytes, source)
    case .journal: keep(bytes)
    default: break
    }
  }

  private func show(_ bytes: [UInt8]) {
    guard verdict == nil else { return }
    guard let fresh = continuity.shown.new(bytes) else { return end(Self.otherText) }
    if terminal.isOneScreen { errorsScan.pass(fresh) }
    pass(fresh, to: STDOUT_FILENO)
  }

  private func complain(_ bytes: [UInt8]) {
    errorsScan.add(bytes)
    pass(bytes, to: terminal.isOneScreen ? STDOUT_FILENO : STDERR_FILENO)
  }

  private static let otherText = JobEnding(
    .failed(1),
    "the job that was started again gives another text than was shown: expected the same. "
      + "Hint: did MODEL or the program change meanwhile?")

  private func pass(_ bytes: [UInt8], to descriptor: Int32) {
    guard !bytes.isEmpty else { return }
    if descriptor == STDERR_FILENO { display.makeWay() }
    let isStandard = descriptor == STDOUT_FILENO
    // Nobody reads any more: as with any program in a pipe, the end.
    if !(isStandard ? standardOutput : standardError).add(bytes), isStandard, interrupts == 0 { interrupt() }
  }

  private func drop(_ source: JobSource) {
    sources.removeAll { $0 === source }
    close(source.descriptor)
    if source.kind == .control { (control, leftAt) = (nil, MonotonicClock.seconds()) }
  }

  // MARK: The coordinator

  private func accept(_ source: JobSource) {
    let descriptor = Glibc.accept(source.descriptor, nil, nil)
    guard descriptor >= 0 else { return }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    StreamSocket.prepare(descriptor)
    sources.append(JobSource(descriptor, .greeting))
  }

  /// Who does not know the secret is shown out.
  private func greet(_ source: JobSource) {
    guard let line = source.takeLine() else {
      if source.isSpoilt { drop(source) }
      return
    }
    guard let greeting = Greeting(line: line), greeting.secret == listener.secret else { return drop(source) }
    source.kind = JobSource.Kind(greeting.purpose)
    switch greeting.purpose {
    case .control: (control, hasStarted) = (source.descriptor, true)
    case .input: continuity.input.begin(source.descriptor)
    case .journal: hand(over: source)
    default: break
    }
  }

  private func hear(_ bytes: [UInt8], _ source: JobSource) {
    guard let messages = try? source.messages.add(bytes) else { return drop(source) }
    for message in messages {
      switch message {
      case .status(let status): display.update(status)
      case .ask(let text):
        // Who ends this process wants no next question.
        if mustEnd { interrupt(); continue }
        (interrupts, killAt) = (0, nil)
        display.clear()
        prompt.ask(text)
        if let answer = prompt.add([]) { send(.answer(answer)) }
      }
    }
  }

  /// Gives the coordinator the journal so far; a thread waits for it, since the coordinator's node may be gone.
  private func hand(over source: JobSource) {
    let descriptor = fcntl(source.descriptor, F_DUPFD_CLOEXEC, 0)
    guard descriptor >= 0, let bytes = attempt({ try continuity.journal?.contents() ?? [] }) else {
      return drop(source)
    }
    Thread.detachNewThread {
      Descriptor.write(bytes, to: descriptor)
      shutdown(descriptor, Int32(SHUT_WR))
      close(descriptor)
    }
  }

  private func keep(_ bytes: [UInt8]) { attempt { try continuity.journal?.append(bytes) } }

  /// A journal that cannot be kept ends the job.
  @discardableResult
  private func attempt<Value>(_ body: () throws -> Value) -> Value? {
    do {
      return try body()
    } catch {
      end(JobEnding(.failed(1), "\(error)"))
      return nil
    }
  }

  private func send(_ message: CoordinatorMessage) {
    if let control { Descriptor.write(message.messageBytes, to: control) }
  }

  // MARK: The person

  private func takeKeys() {
    let bytes = Descriptor.read(STDIN_FILENO)
    guard prompt.isAsking else { return continuity.input.add(bytes) }
    if let answer = bytes.isEmpty ? prompt.close() : prompt.add(bytes) { send(.answer(answer)) }
  }

  private func obey(_ signal: Int32) {
    switch signal {
    case SIGTERM, SIGHUP:
      mustEnd = true
      interrupt()
    case SIGINT: interrupt()
    case SIGCHLD: reap()
    default: break
    }
  }

  /// The first time the coordinator ends in order; the second time mpirun is told to, the third time all is killed.
  private func interrupt() {
    interrupts += 1
    if control != nil, interrupts == 1 {
      send(.interrupt)
    } else if interrupts <= 2 {
      kill(-mpirun, SIGTERM)
    } else {
      kill(-mpirun, SIGKILL)
    }
    if killAt == nil { killAt = MonotonicClock.seconds() + Self.patience }
  }

  /// Tells mpirun to end the job, for a reason of the launcher's own.
  ///
  /// - Parameter signal: SIGKILL where it would not listen.
  private func end(_ verdict: JobEnding, by signal: Int32 = SIGTERM) {
    guard self.verdict == nil else { return }
    self.verdict = verdict
    guard ending == nil else { return }
    // Remote shells that hang would outlive it; those of a job that runs are ended by it, where it can.
    let shells = hasStarted && signal == SIGTERM ? [] : Descendants.of(mpirun)
    kill(-mpirun, signal)
    for shell in shells { kill(shell, signal) }
    killAt = MonotonicClock.seconds() + Self.patience
  }

  private func enforceStart() {
    guard !hasStarted, ending == nil, interrupts == 0 else { return }
    guard MonotonicClock.seconds() - startedAt > settings.startLimit else { return }
    end(.notStarted(after: settings.startLimit, settings.isOnNetwork, output))
  }

  /// mpirun waits for daemons that neither answer nor go away: then it is killed, and the daemons elsewhere, which
  /// notice that, end their ranks.
  private func enforceLeaving() {
    guard let leftAt, verdict == nil, ending == nil, interrupts == 0 else { return }
    let complaint = errorsScan.complaint ?? output.complaint
    let limit = complaint == nil ? Self.patienceAfterEnd : Self.patienceAfterError
    guard MonotonicClock.seconds() - leftAt > limit else { return }
    end(
      JobEnding(.lost, complaint == nil ? "mpirun did not end after the coordinator had" : "", complaint), by: SIGKILL)
  }

  private func enforceEnd() {
    enforceStart()
    enforceLeaving()
    if verdict != nil, ending == nil, let time = killAt, MonotonicClock.seconds() > time { kill(-mpirun, SIGKILL) }
    guard ending == nil, interrupts > 0, let time = killAt, MonotonicClock.seconds() > time else { return }
    interrupt()
    killAt = MonotonicClock.seconds() + Self.patience
  }

  private func reap() {
    var status: Int32 = 0
    guard ending == nil, waitpid(mpirun, &status, WNOHANG) == mpirun else { return }
    ending = ChildProcess.ending(status)
    endedAt = MonotonicClock.seconds()
  }

  private func leaveTerminal() {
    prompt.end()
    display.clear()
    for source in sources where source.kind != .signals && source.kind != .listener { close(source.descriptor) }
    sources = []
  }
}
