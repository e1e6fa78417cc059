import ExpertParallel
import Kernels

/// Computes as a rank does that reads a prompt, and looks at its messages between tiles; meanwhile it may send some.
final class LoadMeter {
  /// As long as those that show a link's bandwidth.
  static let messageBytes = 1 << 20
  /// Messages under way at once.
  private static let window = 2
  /// Rows of input.
  private static let rows = 32
  /// Products of a tile: a fifth of a millisecond.
  private static let calls = 8
  private static let weightRows = 64
  /// Of the time, as much more before it counts.
  private static let warmUp = 0.25
  /// Seconds for the last messages to arrive.
  private static let patience = 2.0

  private let exchange: any Exchange
  private let compute: Compute
  private let trial: ProductTrial
  private var destination: Int?
  private var messagesTaken = 0
  private var messagesUnderWay = 0
  private var bytesReceived = 0

  init(_ exchange: any Exchange, _ compute: Compute) throws(CalibrationFailure) {
    let bytes = WeightFormat.q8_0.bytes(rows: Self.weightRows, columns: ProductTrial.columns)
    guard let buffer = StreamBuffer(bytes: bytes, compute: compute) else {
      throw CalibrationFailure("\(bytes) bytes to compute with: the system has no memory for them")
    }
    self.exchange = exchange
    self.compute = compute
    trial = ProductTrial(.q8_0, tokens: Self.rows, weightRows: Self.weightRows, in: buffer, compute)
  }

  /// - Parameters:
  ///   - destination: who is sent messages, one whenever an earlier one has been taken; nil: nobody.
  ///   - step: takes a message that has arrived, if there is one.
  func run(seconds: Double, to destination: Int?, step: () throws -> Bool) throws -> Calibration.LoadSample {
    self.destination = destination
    if destination != nil { for _ in 0..<Self.window { try send(isFilled: true) } }
    // The first messages get going.
    _ = try pass(seconds: seconds * Self.warmUp, step)
    (messagesTaken, bytesReceived) = (0, 0)
    let (passed, multiplyAdds) = try pass(seconds: seconds, step)
    let sample = Calibration.LoadSample(
      seconds: passed, multiplyAdds: multiplyAdds, threads: compute.pool.threads,
      bytesSent: messagesTaken * Self.messageBytes, bytesReceived: bytesReceived)
    self.destination = nil
    try drain(for: Self.patience, step)
    return sample
  }

  /// Waits until all that was sent has been taken, so that the time after this is a quiet one.
  private func drain(for seconds: Double, _ step: () throws -> Bool) throws {
    let start = MonotonicClock.seconds()
    while messagesUnderWay > 0, MonotonicClock.seconds() - start < seconds {
      if try !step() { try exchange.idle() }
    }
  }

  /// Computes for so many seconds, or a little longer.
  private func pass(
    seconds: Double, _ step: () throws -> Bool
  ) throws -> (seconds: Double, multiplyAdds: Double) {
    let tiles = 4 * compute.pool.threads
    let start = MonotonicClock.seconds()
    var (now, multiplyAdds) = (start, 0.0)
    repeat {
      trial.run(tiles: tiles, calls: Self.calls)
      multiplyAdds += Double(tiles * Self.calls * trial.multiplyAdds)
      while try step() {}
      now = MonotonicClock.seconds()
    } while now - start < seconds
    return (max(now - start, 1e-9), multiplyAdds)
  }

  /// - Parameter isFilled: so that its memory is there; later ones are these again, and filling them is no work for messages.
  private func send(isFilled: Bool = false) throws {
    guard let destination else { return }
    let message = exchange.message(capacity: Self.messageBytes)
    message.count = Self.messageBytes
    if isFilled { message.mutableBytes.initializeMemory(as: UInt8.self, repeating: 0) }
    CalibrationMessage.write(.load, to: message)
    try exchange.send(message, to: destination)
    messagesUnderWay += 1
  }

  /// A message has arrived from another rank.
  func count(_ bytes: Int) { bytesReceived += bytes }

  /// Another rank has taken a message; the next one goes.
  func noteTaken() throws {
    messagesTaken += 1
    messagesUnderWay -= 1
    try send()
  }
}
