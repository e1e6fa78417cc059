import Checkpoint
import Kernels

/// How thoroughly a machine is measured.
public struct CalibrationOptions: Codable, Sendable, Equatable {
  /// Size of the buffer that is read; nil: well beyond the last-level cache.
  public var bufferBytes: Int?
  /// Measurements of each speed.
  public var repeats: Int
  /// Most threads that are tried; nil: all cores.
  public var threads: Int?
  /// Seconds for each size of message on a link.
  public var linkSeconds: Double

  public init(bufferBytes: Int? = nil, repeats: Int = 7, threads: Int? = nil, linkSeconds: Double = 0.15) {
    self.bufferBytes = bufferBytes
    self.repeats = repeats
    self.threads = threads
    self.linkSeconds = linkSeconds
  }
}

/// Measures the machine of one rank.
struct SpeedMeter {
  let kernels: KernelTable
  let machine: MachineFacts
  let options: CalibrationOptions
  /// Called between pieces of work, at least every few milliseconds.
  let betweenTiles: () -> Void
  /// Called between measurements; throws to end them.
  let pause: () throws -> Void

  /// Every speed by number of threads, with nothing else running.
  func host(name: String, ranks: [Int]) throws -> Calibration.Host {
    let counts = Self.threadCounts(cores: mostThreads)
    var host = Calibration.Host(
      name: name, ranks: ranks, machine: machine, instructionSet: kernels.instructionSet.rawValue, bufferBytes: 0,
      readBytesPerSecond: [], readByAllRanks: nil, multiplyAddsF32PerSecond: [], multiplyAddsInt8PerSecond: [],
      products: [], costs: [])
    let all = compute(threads: counts.last!)
    let buffer = try buffer(all, sharers: 1)
    host.bufferBytes = buffer.bytes
    for threads in counts {
      let compute = threads == counts.last ? all : compute(threads: threads)
      host.readBytesPerSecond.append(try speed(threads) { read(buffer, compute) })
      for arithmetic in Arithmetic.allCases {
        let calls = calls(arithmetic)
        let measured = try speed(threads) { multiplyAdd(arithmetic, calls: calls, compute) }
        switch arithmetic {
        case .f32: host.multiplyAddsF32PerSecond.append(measured)
        case .int8: host.multiplyAddsInt8PerSecond.append(measured)
        }
      }
      // Others get by with what is measured for fewer threads.
      let isThorough = threads == counts.last || threads & (threads - 1) == 0
      host.products? += try products(buffer, compute, isThorough: isThorough)
      if isThorough { host.costs?.append(try costs(buffer, compute)) }
    }
    return host
  }

  var mostThreads: Int { min(options.threads ?? machine.cores, machine.cores) }

  func compute(threads: Int) -> Compute {
    let compute = Compute(kernels: kernels, threads: threads)
    compute.pool.betweenTiles = betweenTiles
    return compute
  }

  /// Memory to read, shared out among the ranks that read at once.
  func buffer(_ compute: Compute, sharers: Int) throws -> StreamBuffer {
    let wanted = options.bufferBytes ?? Self.bufferBytes(lastLevelCache: machine.lastLevelCacheBytes)
    let room = MachineMemory.available().map { $0 / 2 } ?? wanted
    guard let buffer = StreamBuffer(bytes: min(wanted, room) / sharers, compute: compute) else {
      throw CalibrationFailure("\(wanted / sharers) bytes to read: the system has no memory for them")
    }
    return buffer
  }

  /// Large enough for any cache, at least 512 MiB.
  static func bufferBytes(lastLevelCache: Int?) -> Int {
    max(512 << 20, MachineFacts.bufferBeyondCache(lastLevelCacheBytes: lastLevelCache))
  }

  /// Every number of threads up to 8, then steps of a quarter, and all cores.
  static func threadCounts(cores: Int) -> [Int] {
    var counts: [Int] = []
    var next = 1
    while next < cores {
      counts.append(next)
      next += max(1, next / 8 * 2)
    }
    return counts + [cores]
  }

  /// Bytes a second of one pass, or of passes until `seconds` are over.
  func read(_ buffer: StreamBuffer, _ compute: Compute, seconds: Double = 0) -> Double {
    let start = MonotonicClock.seconds()
    var (now, bytes) = (start, 0)
    repeat {
      _ = compute.read(buffer)
      bytes += buffer.bytes
      now = MonotonicClock.seconds()
    } while now - start < seconds
    return Double(bytes) / (now - start)
  }

  private func multiplyAdd(_ arithmetic: Arithmetic, calls: Int, _ compute: Compute) -> Double {
    let start = MonotonicClock.seconds()
    let done = compute.multiplyAdd(arithmetic, tiles: 32 * compute.pool.threads, calls: calls)
    return Double(done) / (MonotonicClock.seconds() - start)
  }

  /// Calls that take about half a millisecond together.
  private func calls(_ arithmetic: Arithmetic) -> Int {
    var fastest = Double.infinity
    for _ in 0..<5 {
      let start = MonotonicClock.seconds()
      _ = kernels.peak(arithmetic, rounds: Compute.peakRounds)
      fastest = min(fastest, MonotonicClock.seconds() - start)
    }
    return max(1, Int(0.5e-3 / max(fastest, 1e-7)))
  }

  /// Best and median of the repeats.
  private func speed(_ threads: Int, _ measure: () -> Double) throws -> Calibration.ThreadSpeed {
    let speeds = try samples(options.repeats, measure)
    return Calibration.ThreadSpeed(
      threads: threads, best: speeds.max() ?? 0, median: SampleStatistics.median(speeds) ?? 0)
  }

  /// So many measurements, after one that does not count.
  func samples(_ repeats: Int, _ measure: () -> Double) throws -> [Double] {
    _ = measure()
    return try (0..<repeats).map { _ in
      try pause()
      return measure()
    }
  }
}

/// Why a machine could not be measured.
public struct CalibrationFailure: Error, Equatable, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}
