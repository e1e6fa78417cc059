import Foundation
import Glibc

/// A program at a terminal: a pseudo-terminal of 24 rows, what was typed, and all that was shown.
public final class Screen {
  public private(set) var shown: [UInt8] = []
  public private(set) var status: Int32?
  public let process: pid_t
  private let terminal: Int32
  /// Where the next `wait(for:)` begins.
  private var seen = 0
  private let mark: String

  public struct TimedOut: Error, CustomStringConvertible {
    public let description: String
  }

  /// - Parameters:
  ///   - program: of this package.
  ///   - columns: of the terminal.
  public init(_ program: String, _ arguments: [String], environment: [String: String] = [:], columns: Int = 100) throws
  {
    terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
    var (locked, number): (Int32, Int32) = (0, 0)
    // Linux's requests to unlock a pseudo-terminal and to tell its number.
    guard terminal >= 0, ioctl(terminal, 0x4004_5431, &locked) == 0, ioctl(terminal, 0x8004_5430, &number) == 0 else {
      throw TimedOut(description: "no pseudo-terminal: \(String(cString: strerror(errno)))")
    }
    var size = winsize(ws_row: 24, ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
    _ = ioctl(terminal, UInt(TIOCSWINSZ), &size)
    let unique = UUID().uuidString
    mark = "FLOTILLA_TEST_MARK=\(unique)"
    let more = environment.merging(["TERM": "xterm", "NO_COLOR": ""]) { given, _ in given }
    let child = ChildProgram()
    child.executableURL = URL(filePath: try Job.executable(program))
    child.arguments = arguments
    child.terminal = "/dev/pts/\(number)"
    var inherited = ProcessInfo.processInfo.environment
    inherited["XDG_STATE_HOME"] = FileManager.default.temporaryDirectory.appending(path: "no-history").path
    inherited["FLOTILLA_TEST_MARK"] = unique
    child.environment = inherited.merging(more) { $1 }
    try child.run()
    process = child.processIdentifier
  }

  deinit {
    if status == nil {
      kill(process, SIGKILL)
      waitpid(process, nil, 0)
    }
    close(terminal)
  }

  public var text: String { String(decoding: shown, as: UTF8.self) }

  /// Types at the terminal.
  public func type(_ text: String) {
    let bytes = Array(text.utf8)
    _ = write(terminal, bytes, bytes.count)
  }

  /// Returns once `text` has been shown behind what was waited for before.
  public func wait(for text: String, limit: Double = 30) throws {
    let wanted = Array(text.utf8)
    try until("\"\(text)\" to be shown", limit) {
      guard let range = shown[seen...].firstRange(of: wanted) else { return false }
      seen = range.upperBound
      return true
    }
  }

  /// The exit status once the program has ended; a signal's number and 128 where it was killed.
  public func end(limit: Double = 30) throws -> Int32 {
    try until("the end", limit) {
      var code: Int32 = 0
      guard waitpid(process, &code, WNOHANG) == process else { return false }
      status = code & 0x7F == 0 ? (code >> 8) & 0xFF : 128 + (code & 0x7F)
      return true
    }
    take(waiting: 0)
    return status ?? -1
  }

  /// Processes of this job that still run after a moment.
  public func survivors() -> Int { Job.remaining(mark).count }

  /// The process of an MPI rank.
  public func process(ofRank rank: Int) -> pid_t? { Job.process(ofRank: rank, mark: mark) }

  private func until(_ what: String, _ limit: Double, _ isDone: () -> Bool) throws {
    let end = ContinuousClock.now + .seconds(limit)
    while !isDone() {
      guard ContinuousClock.now < end else {
        throw TimedOut(description: "waited for \(what), saw: \(text.debugDescription)")
      }
      take(waiting: 20)
    }
  }

  private func take(waiting milliseconds: Int32) {
    var ready = pollfd(fd: terminal, events: Int16(POLLIN), revents: 0)
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while poll(&ready, 1, milliseconds) > 0, ready.revents & Int16(POLLIN) != 0 {
      let count = read(terminal, &buffer, buffer.count)
      guard count > 0 else { return }
      shown += buffer[..<count]
    }
  }
}
