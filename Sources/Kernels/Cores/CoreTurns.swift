import CKernels

/// How long a thread keeps a core that others want too.
public enum CoreTurns {
  /// The shortest that Linux takes.
  package static let shortest: UInt64 = 100_000

  /// Asks for short turns for this thread and all that it starts. A rank waits for messages again and again; with turns as
  /// short as its pieces of work it gets the core back as soon as one arrives, beside others that never wait.
  ///
  /// Nothing changes before Linux 6.12, and where the threads have their cores for themselves.
  ///
  /// - Returns: nanoseconds that the system keeps to; nil where it does not know such.
  @discardableResult
  public static func shorten() -> UInt64? {
    let turns = fk_shorten_turns(shortest)
    return turns > 0 ? turns : nil
  }
}
