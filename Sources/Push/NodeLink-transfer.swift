import Glibc
import Nodes

extension NodeLink {
  /// How often a transfer is tried when its connection breaks.
  private static let attempts = 4

  /// Runs an rsync for this node; after a broken connection it goes on where it was.
  ///
  /// - Parameters:
  ///   - progress: called with the bytes so far.
  ///   - broken: called with what went wrong when there will be another attempt.
  ///   - again: called before that attempt, after a pause.
  func transfer(
    _ command: [String], progress: (Int) -> Void, broken: (String) -> Void, again: () throws -> Void
  ) throws {
    for attempt in 1...Self.attempts {
      var cutter = LineCutter()
      let child = try started {
        try ChildProcess.run(command, isCancelled: isCancelled) { bytes in
          cutter.add(bytes) { text in if let done = Rsync.progress(text) { progress(done) } }
        }
      }
      switch child.ending {
      case .exited(0): return
      case .cancelled: throw PushInterrupted()
      case .exited(let code) where Rsync.broken.contains(code) && attempt < Self.attempts:
        broken(Self.lastWords(child.errors))
        try pause(Double(1 << attempt))
        try again()
      case .exited(let code): throw failure("rsync failed", child.errors, code)
      case .killed(let signal): throw failure("rsync was killed by signal \(signal)", child.errors)
      }
    }
  }

  private func pause(_ seconds: Double) throws {
    for _ in 0..<Int(seconds * 10) {
      if isCancelled() { throw PushInterrupted() }
      usleep(100_000)
    }
  }
}
