import ExpertParallel
import Kernels

/// Sends messages to and fro between this rank and another, of one size after the other: a ping leaves when the pong
/// before has come. Nothing here waits.
struct LinkMeter {
  private let exchange: any Exchange
  private let destination: Int
  private let sizes: [Int]
  private let seconds: Double
  /// What is done.
  private(set) var speeds: [Calibration.MessageSpeed] = []
  private var times: [Double] = []
  private var start = 0.0
  private var end = 0.0

  /// Pages, routes and pools are new the first times.
  private static let warmUp = 3
  private static let fewest = 5
  private static let most = 2000

  var isDone: Bool { speeds.count == sizes.count }

  /// Sends the first ping.
  ///
  /// - Parameters:
  ///   - sizes: bytes of the messages; at least one.
  ///   - seconds: for each size, but at least 5 round trips and at most 2000.
  init(_ exchange: any Exchange, to destination: Int, sizes: [Int], seconds: Double) throws {
    self.exchange = exchange
    self.destination = destination
    self.sizes = sizes
    self.seconds = seconds
    try beginSize()
  }

  private mutating func beginSize() throws {
    let count = max(sizes[speeds.count], CalibrationMessage.headBytes)
    let message = exchange.message(capacity: count)
    message.count = count
    message.mutableBytes.initializeMemory(as: UInt8.self, repeating: 0)
    times.removeAll(keepingCapacity: true)
    end = MonotonicClock.seconds() + seconds
    try send(message)
  }

  private mutating func send(_ message: Message) throws {
    CalibrationMessage.write(.ping, to: message)
    start = MonotonicClock.seconds()
    try exchange.send(message, to: destination)
  }

  /// Takes a pong; sends the next ping unless all sizes are done.
  mutating func take(_ pong: Message) throws {
    let now = MonotonicClock.seconds()
    times.append((now - start) / 2)
    let rounds = times.count - Self.warmUp
    if rounds < Self.fewest || (rounds < Self.most && now < end) { return try send(pong) }
    speeds.append(speed(of: pong.count))
    pong.recycle()
    if !isDone { try beginSize() }
  }

  private func speed(of bytes: Int) -> Calibration.MessageSpeed {
    let halves = times.dropFirst(Self.warmUp).sorted()
    let p50 = SampleStatistics.percentile(0.5, ofSorted: halves)!
    return Calibration.MessageSpeed(
      bytes: bytes, rounds: halves.count, p50Seconds: p50,
      p99Seconds: SampleStatistics.percentile(0.99, ofSorted: halves)!, bytesPerSecond: Double(bytes) / p50)
  }
}
