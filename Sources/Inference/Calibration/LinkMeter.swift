import ExpertParallel
import Kernels

/// Sends messages to and fro between this rank and another, of one size after the other: a ping leaves when the pong
/// before has come. Nothing here waits.
struct LinkMeter {
  private let exchange: any Exchange
  private let destination: Int
  private let sizes: [Int]
  private let seconds: Double
  /// Whether only the head of a message comes back, except of the first size.
  private let isOneWay: Bool
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
  ///   - isOneWay: whether messages beyond the first size are timed in this direction alone: only their heads come
  ///     back, whose way takes as long as a message of the first size.
  init(
    _ exchange: any Exchange, to destination: Int, sizes: [Int], seconds: Double, isOneWay: Bool = false
  ) throws {
    self.exchange = exchange
    self.destination = destination
    self.sizes = sizes
    self.seconds = seconds
    self.isOneWay = isOneWay
    try beginSize()
  }

  private var wanted: Int { max(sizes[speeds.count], CalibrationMessage.headBytes) }
  private var isProbing: Bool { isOneWay && !speeds.isEmpty }

  private mutating func beginSize() throws {
    times.removeAll(keepingCapacity: true)
    end = MonotonicClock.seconds() + seconds
    try send(fresh())
  }

  private func fresh() -> Message {
    let message = exchange.message(capacity: wanted)
    message.count = wanted
    message.mutableBytes.initializeMemory(as: UInt8.self, repeating: 0)
    return message
  }

  private mutating func send(_ message: Message) throws {
    CalibrationMessage.write(isProbing ? .probe : .ping, to: message)
    start = MonotonicClock.seconds()
    try exchange.send(message, to: destination)
  }

  /// Takes a pong; sends the next ping unless all sizes are done.
  mutating func take(_ pong: Message) throws {
    let trip = MonotonicClock.seconds() - start
    // A way back cannot take longer than there and back.
    times.append(isProbing ? max(trip - speeds[0].p50Seconds, trip / 2) : trip / 2)
    let rounds = times.count - Self.warmUp
    let goesOn = rounds < Self.fewest || (rounds < Self.most && MonotonicClock.seconds() < end)
    if goesOn, !isProbing { return try send(pong) }
    pong.recycle()
    if goesOn { return try send(fresh()) }
    speeds.append(speed(of: wanted))
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
