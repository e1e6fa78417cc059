import Foundation
import Glibc

/// A program that a test starts. Used as Foundation's `Process`, which reads beyond the end of its list of open files
/// where these are more than a thousand, as in tests with many bundles open, and hands on the signals that a worker
/// thread blocks, so that mpirun could not be interrupted.
public final class ChildProgram {
  public var executableURL = URL(filePath: "/usr/bin/env")
  public var arguments: [String] = []
  /// Nil: that of this process.
  public var environment: [String: String]?
  /// Files, pipes, or nil: those of this process.
  public var standardInput: (any ChildStream)?
  public var standardOutput: (any ChildStream)?
  public var standardError: (any ChildStream)?
  /// The name of a terminal that it gets in place of all three, in a session of its own.
  public var terminal: String?
  public private(set) var processIdentifier: pid_t = 0
  private var ending: Int32?

  public init() {}

  /// What other tests have open is not for the program: mpirun takes no descriptors above 1023. The loop redirects
  /// nothing: bash would keep the old standard error in a descriptor that the loop closes.
  private static let closing = [
    "/bin/bash", "-c",
    "for f in /proc/$$/fd/*; do n=${f##*/}; [ \"$n\" -gt 2 ] && eval \"exec $n>&-\"; done; exec \"$@\"",
    "bash",
  ]

  struct Failure: Error, CustomStringConvertible { let description: String }

  public func run() throws {
    var actions = posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawnattr_init(&attributes)
    defer {
      posix_spawn_file_actions_destroy(&actions)
      posix_spawnattr_destroy(&attributes)
    }
    if let terminal {
      // A new session takes the terminal that it opens first as its own.
      posix_spawn_file_actions_addopen(&actions, 0, terminal, O_RDWR, 0)
      for stream in [Int32(1), 2] { posix_spawn_file_actions_adddup2(&actions, 0, stream) }
    }
    let streams = [standardInput?.forReading, standardOutput?.forWriting, standardError?.forWriting]
    for (number, stream) in streams.enumerated() {
      guard let stream else { continue }
      posix_spawn_file_actions_adddup2(&actions, stream.fileDescriptor, Int32(number))
    }
    var (none, usual) = (sigset_t(), sigset_t())
    sigemptyset(&none)
    sigemptyset(&usual)
    for signal in [SIGPIPE, SIGINT, SIGTERM, SIGHUP] { sigaddset(&usual, signal) }
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &usual)
    posix_spawnattr_setpgroup(&attributes, 0)
    // 0x80 is POSIX_SPAWN_SETSID.
    let group = terminal == nil ? Int16(POSIX_SPAWN_SETPGROUP) : 0x80
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF) | group)
    let path = executableURL.path(percentEncoded: false)
    let line = Self.closing + [path] + arguments
    let variables = (environment ?? ProcessInfo.processInfo.environment).map { "\($0.key)=\($0.value)" }
    var words: [UnsafeMutablePointer<CChar>?] = line.map { strdup($0) } + [nil]
    var settings: [UnsafeMutablePointer<CChar>?] = variables.map { strdup($0) } + [nil]
    defer { for text in words + settings { free(text) } }
    let code = posix_spawn(&processIdentifier, line[0], &actions, &attributes, &words, &settings)
    guard code == 0 else { throw Failure(description: "\(path): \(String(cString: strerror(code)))") }
    // The ends of pipes that the program has now: nobody else writes there, so that they come to an end.
    for pipe in [standardInput, standardOutput, standardError].compactMap({ $0 as? Pipe }) {
      try (pipe === standardInput as? Pipe ? pipe.fileHandleForReading : pipe.fileHandleForWriting).close()
    }
  }

  public var isRunning: Bool {
    guard ending == nil else { return false }
    var status: Int32 = 0
    guard waitpid(processIdentifier, &status, WNOHANG) == processIdentifier else { return true }
    ending = status
    return false
  }

  public func waitUntilExit() { while isRunning { usleep(1000) } }

  /// The exit code, or the signal that ended it.
  public var terminationStatus: Int32 {
    let status = ending ?? -1
    return status & 0x7F == 0 ? (status >> 8) & 0xFF : status & 0x7F
  }

  public func terminate() { if isRunning { kill(processIdentifier, SIGTERM) } }
}

/// Where a program reads from or writes to.
public protocol ChildStream {
  var forReading: FileHandle { get }
  var forWriting: FileHandle { get }
}

extension FileHandle: ChildStream {
  public var forReading: FileHandle { self }
  public var forWriting: FileHandle { self }
}

extension Pipe: ChildStream {
  public var forReading: FileHandle { fileHandleForReading }
  public var forWriting: FileHandle { fileHandleForWriting }
}
