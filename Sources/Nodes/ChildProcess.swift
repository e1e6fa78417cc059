import Foundation
import Glibc
import Kernels
import Synchronization

/// A program that this one started, its input given and its output read as it comes.
///
/// Foundation's `Process` hands the calling thread's blocked signals on and cannot end a whole group; rsync starts ssh,
/// and both must go.
package struct ChildProcess {
  package enum Ending: Equatable {
    case exited(Int32)
    case killed(Int32)
    /// Ended here, since the user asked to.
    case cancelled
  }

  package let ending: Ending
  /// The last lines of standard error.
  package let errors: String

  private static let mostErrors = 16 << 10
  /// One at a time, so that no program inherits the pipes of another.
  private static let starting = Mutex(())
  /// How long a program has to end in order once it was told to.
  private static let patience = 5.0

  /// Runs a program to its end. Blocks the thread.
  ///
  /// - Parameters:
  ///   - arguments: the program, looked for in PATH, and its arguments.
  ///   - input: standard input.
  ///   - isCancelled: asked ten times a second.
  ///   - output: called with what standard output gives.
  /// - Throws: ``NodeError`` where it cannot be started.
  package static func run(
    _ arguments: [String], input: [UInt8] = [], isCancelled: () -> Bool, output: ([UInt8]) -> Void
  ) throws -> ChildProcess {
    let (process, out, err) = try starting.withLock { _ in
      let out = try Pipe()
      let err = try Pipe()
      let file = try inputFile(input)
      defer { for descriptor in [file, out.write, err.write] { close(descriptor) } }
      return (try spawn(arguments, [file, out.write, err.write]), out, err)
    }
    defer { for descriptor in [out.read, err.read] { close(descriptor) } }

    var errors: [UInt8] = []
    func read() {
      drain(out.read, output)
      drain(err.read) { bytes in
        errors += bytes
        errors.removeFirst(max(0, errors.count - mostErrors))
      }
    }
    var cancelledAt: Double?
    while true {
      var descriptors = [out.read, err.read].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
      _ = poll(&descriptors, 2, 100)
      // Both ends closed and the program still there: nothing to wait for in poll.
      if descriptors.allSatisfy({ Int32($0.revents) & POLLHUP != 0 }) { usleep(20_000) }
      read()
      var status: Int32 = 0
      if waitpid(process, &status, WNOHANG) == process {
        // Not until the end of both: a connection that ssh keeps for later holds them open.
        read()
        if cancelledAt != nil { kill(-process, SIGKILL) }
        return ChildProcess(
          ending: cancelledAt == nil ? self.ending(status) : .cancelled,
          errors: String(decoding: errors, as: UTF8.self))
      }
      if let since = cancelledAt {
        if MonotonicClock.seconds() - since > patience { kill(-process, SIGKILL) }
      } else if isCancelled() {
        cancelledAt = MonotonicClock.seconds()
        kill(-process, SIGTERM)
      }
    }
  }

  package static func ending(_ status: Int32) -> Ending {
    status & 0x7F == 0 ? .exited((status >> 8) & 0xFF) : .killed(status & 0x7F)
  }

  private struct Pipe {
    let read: Int32
    let write: Int32

    init() throws {
      guard let ends = Descriptor.pipe() else { throw ChildProcess.failure("make a pipe", errno) }
      (read, write) = ends
      _ = fcntl(read, F_SETFL, O_NONBLOCK)
    }
  }

  /// A file without a name: a pipe would need somebody to write while the output is read.
  private static func inputFile(_ bytes: [UInt8]) throws -> Int32 {
    guard !bytes.isEmpty else {
      let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
      guard descriptor >= 0 else { throw failure("open /dev/null", errno) }
      return descriptor
    }
    guard let descriptor = Descriptor.temporaryFile() else { throw failure("make a temporary file", errno) }
    let code = Descriptor.write(bytes, to: descriptor)
    guard code == 0 else {
      close(descriptor)
      throw failure("write a temporary file", code)
    }
    lseek(descriptor, 0, SEEK_SET)
    return descriptor
  }

  private static func drain(_ descriptor: Int32, _ body: ([UInt8]) -> Void) {
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count > 0 { body(Array(buffer[..<count])) } else if count == 0 || errno != EINTR { return }
    }
  }

  /// Starts a program in a process group of its own, with no signal blocked or ignored.
  ///
  /// - Parameter streams: its standard input, output and errors.
  package static func spawn(_ arguments: [String], _ streams: [Int32]) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawnattr_init(&attributes)
    defer {
      posix_spawn_file_actions_destroy(&actions)
      posix_spawnattr_destroy(&attributes)
    }
    for (index, stream) in streams.enumerated() { posix_spawn_file_actions_adddup2(&actions, stream, Int32(index)) }
    var none = sigset_t()
    var all = sigset_t()
    sigemptyset(&none)
    sigfillset(&all)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))
    var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    var process: pid_t = 0
    let code = posix_spawnp(&process, arguments[0], &actions, &attributes, &words, environ)
    guard code == 0 else { throw failure("start \(arguments[0])", code) }
    return process
  }

  private static func failure(_ action: String, _ code: Int32) -> NodeError {
    NodeError(
      "expected to \(action), found \(String(cString: strerror(code)))",
      hint: code == ENOENT ? "install it, or put it into PATH" : "")
  }
}
