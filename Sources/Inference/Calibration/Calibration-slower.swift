extension Calibration.Host {
  /// More threads that were slower than fewer.
  public struct Slowdown: Sendable, Equatable {
    /// What they did.
    public enum Work: Sendable, Equatable { case read, multiplyAddsF32, multiplyAddsInt8 }

    public var work: Work
    /// The fastest number of threads, and a larger one; speeds are the best ones.
    public var fewer: Calibration.ThreadSpeed
    public var more: Calibration.ThreadSpeed
  }

  /// Where more threads were slower than fewer by more than a tenth, at most one of each work: the largest loss. That is
  /// what a machine shows on which something else runs.
  public var slowdowns: [Slowdown] {
    [
      (Slowdown.Work.read, readBytesPerSecond), (.multiplyAddsF32, multiplyAddsF32PerSecond),
      (.multiplyAddsInt8, multiplyAddsInt8PerSecond),
    ].compactMap { work, speeds in
      let pairs = speeds.compactMap { more in
        speeds.filter { $0.threads < more.threads }.max { $0.best < $1.best }.map { (fewer: $0, more: more) }
      }
      guard let worst = pairs.min(by: { $0.more.best / $0.fewer.best < $1.more.best / $1.fewer.best }),
        worst.more.best < 0.9 * worst.fewer.best
      else { return nil }
      return Slowdown(work: work, fewer: worst.fewer, more: worst.more)
    }
  }
}
