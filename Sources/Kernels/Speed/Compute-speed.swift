import CKernels
import Synchronization

/// How a peak is measured: multiply-adds in registers, the most that any kernel could do.
public enum Arithmetic: String, Sendable, CaseIterable, Codable {
  case f32
  /// The widest dot product of bytes that the instruction set has.
  case int8
}

extension Compute {
  /// Reads a buffer once with all threads.
  ///
  /// - Returns: the sum of its 64-bit words modulo 2^64, which proves that all of it was read.
  public func read(_ buffer: StreamBuffer) -> UInt64 {
    let sum = Atomic<UInt64>(0)
    let read = kernels.functions.read_bytes!
    pool.run(tiles: buffer.tiles) { tile in
      let part = read(buffer.base + tile * StreamBuffer.tileBytes, Int64(StreamBuffer.tileBytes))
      sum.wrappingAdd(part, ordering: .relaxed)
    }
    return sum.load(ordering: .relaxed)
  }

  /// Multiplies and adds in registers with all threads, in `tiles` tiles of `calls` calls of ``peakRounds`` rounds.
  ///
  /// - Returns: how many multiply-adds these were.
  public func multiplyAdd(_ arithmetic: Arithmetic, tiles: Int, calls: Int) -> Int {
    let done = Atomic<Int>(0)
    pool.run(tiles: tiles) { _ in
      var count = 0
      for _ in 0..<calls { count += kernels.peak(arithmetic, rounds: Self.peakRounds).multiplyAdds }
      done.add(count, ordering: .relaxed)
    }
    return done.load(ordering: .relaxed)
  }

  /// Rounds of one call: the 16-bit sums of some sets hold no more.
  public static let peakRounds = 2000
}

extension KernelTable {
  /// One call of a peak loop on this thread.
  ///
  /// - Parameter rounds: at most ``Compute/peakRounds``.
  /// - Returns: how many multiply-adds these were, and a value that depends on all of them.
  public func peak(_ arithmetic: Arithmetic, rounds: Int) -> (multiplyAdds: Int, result: Double) {
    precondition(rounds >= 0 && rounds <= Compute.peakRounds)
    switch arithmetic {
    case .f32:
      var result: Float = 0
      return (Int(functions.peak_f32(Int64(rounds), &result)), Double(result))
    case .int8:
      var result: Int64 = 0
      return (Int(functions.peak_int8(Int64(rounds), &result)), Double(result))
    }
  }
}
