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

  private let words: [String]
  private let listener: LauncherListener
  private let terminal: TerminalFacts
  private let isVerbose: Bool
  private var display: StatusDisplay
  private let prompt = LinePrompt()
  private var sources: [JobSource] = []
  private var mpirun: pid_t = 0
  private var ending: ChildProcess.Ending?
  private var endedAt = 0.0
  private var output = MPIRunOutput()
  private var errorsScan = ComplaintScan()
  private var control: Int32?
  private var input = InputForwarding()
  private var interrupts = 0
  private var killAt: Double?

  /// How long the job may take to end in order, and output to arrive behind its end, in seconds.
  private static let (patience, drain) = (15.0, 1.0)

  /// - Parameters:
  ///   - words: the line that starts the job.
  ///   - isOnNetwork: whether the coordinator may run on another machine.
  ///   - isQuiet: no status.
  ///   - isVerbose: everything that mpirun says.
  public init(_ words: [String], isOnNetwork: Bool, isQuiet: Bool, isVerbose: Bool) throws {
    self.words = words
    self.isVerbose = isVerbose
    terminal = Self.terminalFacts()
    display = StatusDisplay(terminal, isQuiet: isQuiet)
    listener = try LauncherListener(isOnNetwork: isOnNetwork)
  }

  /// Starts the job, serves it and waits for its end.
  public func run() throws -> JobEnding {
    defer { listener.close() }
    signal(SIGPIPE, SIG_IGN)
    let signals = try SignalPipe([SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGWINCH])
    defer { signals.close() }
    let invitation = Invitation(secret: listener.secret, addresses: listener.addresses, terminal: terminal)
    setenv(Invitation.variable, invitation.text, 1)
    defer { unsetenv(Invitation.variable) }
    try start(signals)
    defer { leaveTerminal() }
    while !isOver {
      wait(signals)
      display.tick(isAtLineStart: errorsScan.isAtLineStart)
      enforceEnd()
    }
    pass(output.finish(), to: STDERR_FILENO)
    return JobEnding(
      ending ?? .cancelled, output, hasComplaint: errorsScan.isFound || output.hasComplaint,
      isInterrupted: interrupts > 0)
  }

  private var isOver: Bool {
    guard ending != nil else { return false }
    let isDrained = !sources.contains { $0.carriesOutput }
    return isDrained || MonotonicClock.seconds() - endedAt > Self.drain
  }

  private func start(_ signals: SignalPipe) throws {
    let (out, err) = (try Descriptor.pipe(), try Descriptor.pipe())
    let null = open("/dev/null", O_RDONLY | O_CLOEXEC)
    defer { for descriptor in [out.write, err.write, null] { close(descriptor) } }
    do {
      mpirun = try ChildProcess.spawn(words, [null, out.write, err.write])
    } catch {
      throw LaunchError("\(words[0]): expected Open MPI's mpirun, found nothing to start", hint: "install openmpi-bin")
    }
    sources = [JobSource(out.read, .mpirunOutput), JobSource(err.read, .mpirunErrors)]
    sources += listener.descriptors.map { JobSource($0, .listener) }
    sources.append(JobSource(signals.descriptor, .signals))
  }

  // MARK: Waiting

  private func wait(_ signals: SignalPipe) {
    let watched = sources.filter { input.wants($0) }
    var polled = watched.map { pollfd(fd: $0.descriptor, events: $0.events(input), revents: 0) }
    let wantsKeys = prompt.isAsking || input.wantsMore
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
    case .input: if !input.send() { drop(source) }
    case .greeting: greet(source)
    default:
      let bytes = Descriptor.read(source.descriptor)
      if bytes.isEmpty { return drop(source) }
      take(bytes, from: source)
    }
  }

  private func take(_ bytes: [UInt8], from source: JobSource) {
    switch source.kind {
    case .mpirunOutput, .output: pass(bytes, to: STDOUT_FILENO)
    case .screen, .errors:
      errorsScan.add(bytes)
      pass(bytes, to: source.kind == .screen ? STDOUT_FILENO : STDERR_FILENO)
    case .mpirunErrors:
      if isVerbose { pass(bytes, to: STDERR_FILENO) }
      let shown = output.add(bytes)
      if !isVerbose { pass(shown, to: STDERR_FILENO) }
    case .control: hear(bytes, source)
    default: break
    }
  }

  private func pass(_ bytes: [UInt8], to descriptor: Int32) {
    guard !bytes.isEmpty else { return }
    if descriptor == STDERR_FILENO { display.makeWay() }
    // Nobody reads any more: as with any program in a pipe, the end.
    if Descriptor.write(bytes, to: descriptor) != 0, descriptor == STDOUT_FILENO, interrupts == 0 { interrupt() }
  }

  private func drop(_ source: JobSource) {
    sources.removeAll { $0 === source }
    close(source.descriptor)
    if source.kind == .control { control = nil }
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
    case .control: control = source.descriptor
    case .input: input.begin(source.descriptor)
    default: break
    }
  }

  private func hear(_ bytes: [UInt8], _ source: JobSource) {
    guard let messages = try? source.messages.add(bytes) else { return drop(source) }
    for message in messages {
      switch message {
      case .status(let status): display.update(status)
      case .ask(let text):
        interrupts = 0
        display.clear()
        prompt.ask(text)
        if let answer = prompt.add([]) { send(.answer(answer)) }
      }
    }
  }

  private func send(_ message: CoordinatorMessage) {
    if let control { Descriptor.write(message.messageBytes, to: control) }
  }

  // MARK: The person

  private func takeKeys() {
    let bytes = Descriptor.read(STDIN_FILENO)
    guard prompt.isAsking else { return input.add(bytes) }
    if let answer = bytes.isEmpty ? prompt.close() : prompt.add(bytes) { send(.answer(answer)) }
  }

  private func obey(_ signal: Int32) {
    switch signal {
    case SIGINT, SIGTERM, SIGHUP: interrupt()
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

  private func enforceEnd() {
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
