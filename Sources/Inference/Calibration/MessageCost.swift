extension Calibration {
  /// What messages to other nodes take from a node's processors while they compute, beside the time on the wire: copies,
  /// the system's network stack, and looking after all that. Seconds of one processor, for a byte.
  public struct MessageCost: Codable, Sendable, Equatable {
    public var secondsPerByteSent: Double
    public var secondsPerByteReceived: Double

    public init(secondsPerByteSent: Double, secondsPerByteReceived: Double) {
      self.secondsPerByteSent = secondsPerByteSent
      self.secondsPerByteReceived = secondsPerByteReceived
    }

    enum CodingKeys: String, CodingKey {
      case secondsPerByteSent = "seconds_per_byte_sent"
      case secondsPerByteReceived = "seconds_per_byte_received"
    }
  }

  /// What a rank computed in some time, and what it sent and received meanwhile.
  package struct LoadSample: Codable, Sendable, Equatable {
    package var seconds: Double
    package var multiplyAdds: Double
    package var threads: Int
    package var bytesSent: Int
    package var bytesReceived: Int

    package init(seconds: Double, multiplyAdds: Double, threads: Int, bytesSent: Int, bytesReceived: Int) {
      self.seconds = seconds
      self.multiplyAdds = multiplyAdds
      self.threads = threads
      self.bytesSent = bytesSent
      self.bytesReceived = bytesReceived
    }

    var perSecond: Double { multiplyAdds / seconds }
  }
}

extension Calibration.MessageCost {
  /// All of 100 processors for a link of 8 Mbit/s.
  static let most = 1e-4

  /// Processor seconds for a byte: the median of several tries, each held against how fast the rank is in quiet times
  /// just before and just after. Never less than nothing, never above ``most``; nil where no byte was carried.
  ///
  /// - Parameters:
  ///   - busy: with messages.
  ///   - quiet: without, one more.
  ///   - bytes: what counts.
  package static func secondsPerByte(
    _ busy: [Calibration.LoadSample], quiet: [Calibration.LoadSample], _ bytes: KeyPath<Calibration.LoadSample, Int>
  ) -> Double? {
    let costs = busy.indices.compactMap { index -> Double? in
      let (sample, count) = (busy[index], busy[index][keyPath: bytes])
      guard count > 0 else { return nil }
      let undisturbed = (quiet[index].perSecond + quiet[index + 1].perSecond) / 2
      let lost = sample.seconds - sample.multiplyAdds / undisturbed
      return min(max(0, lost) * Double(sample.threads) / Double(count), most)
    }
    return SampleStatistics.median(costs)
  }

  var rounded: Self {
    Self(
      secondsPerByteSent: secondsPerByteSent.fourDigits, secondsPerByteReceived: secondsPerByteReceived.fourDigits)
  }
}

extension StrictFile {
  /// From nothing to ``Calibration/MessageCost/most``.
  func verify(_ cost: Calibration.MessageCost, _ path: String) throws(CalibrationError) {
    try within(cost.secondsPerByteSent, 0...Calibration.MessageCost.most, path + ".seconds_per_byte_sent")
    try within(cost.secondsPerByteReceived, 0...Calibration.MessageCost.most, path + ".seconds_per_byte_received")
  }
}
