import Glibc

/// Something that a launcher waits for.
final class JobSource {
  enum Kind: Equatable {
    case mpirunOutput, mpirunErrors
    case listener, signals
    /// A connection that has not said what it is for.
    case greeting
    case control, output, errors, screen, input, journal

    init(_ purpose: Greeting.Purpose) {
      switch purpose {
      case .control: self = .control
      case .output: self = .output
      case .errors: self = .errors
      case .screen: self = .screen
      case .input: self = .input
      case .journal: self = .journal
      }
    }

    /// In which order what is there is taken.
    var order: Int {
      switch self {
      // What a journal does not know has not been shown.
      case .listener, .greeting, .journal: 0
      case .output, .screen, .mpirunOutput: 1
      case .errors, .mpirunErrors: 2
      case .control, .input: 3
      // The end comes behind what was said.
      case .signals: 4
      }
    }
  }

  let descriptor: Int32
  var kind: Kind
  var messages = MessageReader<LauncherMessage>()
  var screen = ScreenReader()
  private var line: [UInt8] = []
  /// Whether no line will come.
  private(set) var isSpoilt = false

  init(_ descriptor: Int32, _ kind: Kind) {
    self.descriptor = descriptor
    self.kind = kind
  }

  var carriesOutput: Bool {
    switch kind {
    case .mpirunOutput, .mpirunErrors, .output, .errors, .screen, .journal, .greeting: true
    default: false
    }
  }

  /// Whether what comes is shown to the person.
  var isShown: Bool {
    switch kind {
    case .mpirunOutput, .mpirunErrors, .output, .errors, .screen: true
    default: false
    }
  }

  func events(_ input: InputForwarding) -> Int16 { Int16(kind == .input && input.isFull ? POLLOUT : POLLIN) }

  /// The first line, a byte at a time, since what follows belongs to somebody else.
  func takeLine() -> [UInt8]? {
    var byte: UInt8 = 0
    guard read(descriptor, &byte, 1) == 1, line.count < Greeting.mostBytes else {
      isSpoilt = true
      return nil
    }
    if byte == 10 { return line }
    line.append(byte)
    return nil
  }
}

/// Standard input on its way to the coordinator; never more than it takes.
struct InputForwarding {
  private var descriptor: Int32?
  private var pending: [UInt8] = []
  /// All that was typed or piped in.
  private var taken: [UInt8] = []
  private var hasEnded = false

  /// A new job gets from the beginning what the one before has taken.
  mutating func rewind() { (descriptor, pending) = (nil, taken) }

  /// Whether to read more of standard input.
  var wantsMore: Bool { descriptor != nil && pending.isEmpty && !hasEnded }
  var isFull: Bool { !pending.isEmpty }

  /// The connection is written to only; it is looked at while there is something to write.
  func wants(_ source: JobSource) -> Bool { source.kind != .input || isFull }

  mutating func begin(_ descriptor: Int32) {
    self.descriptor = descriptor
    _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
    _ = send()
  }

  /// - Parameter bytes: nothing at the end of standard input.
  mutating func add(_ bytes: [UInt8]) {
    if bytes.isEmpty { hasEnded = true }
    pending += bytes
    taken += bytes
    _ = send()
  }

  /// - Returns: false where the coordinator has closed it.
  mutating func send() -> Bool {
    guard let descriptor else { return false }
    while !pending.isEmpty {
      let count = write(descriptor, pending, pending.count)
      if count > 0 {
        pending.removeFirst(count)
      } else if errno == EAGAIN {
        return true
      } else if errno != EINTR {
        (self.descriptor, pending) = (nil, [])
        return false
      }
    }
    if hasEnded { shutdown(descriptor, Int32(SHUT_WR)) }
    return true
  }
}
