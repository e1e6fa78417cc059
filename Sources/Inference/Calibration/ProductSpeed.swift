import Kernels

extension Calibration {
  /// What products of one weight format reach with so many threads.
  public struct ProductSpeed: Codable, Sendable, Equatable {
    public var format: WeightFormat
    public var threads: Int
    /// Bytes of weights a second, one row of input, weights in memory; the median.
    public var streamedBytesPerSecond: Double
    /// With weights in a core's cache, by rows of input, ascending.
    public var multiplyAdds: [RowSpeed]

    public init(format: WeightFormat, threads: Int, streamedBytesPerSecond: Double, multiplyAdds: [RowSpeed]) {
      self.format = format
      self.threads = threads
      self.streamedBytesPerSecond = streamedBytesPerSecond
      self.multiplyAdds = multiplyAdds
    }

    enum CodingKeys: String, CodingKey {
      case format, threads
      case streamedBytesPerSecond = "streamed_bytes_per_second"
      case multiplyAdds = "multiply_adds"
    }

    /// Numbers of rows that are measured: products of more go in pieces of four, and gain little beyond the last.
    public static let rows = [1, 2, 3, 4, 8, 32]
  }

  /// Multiply-adds a second with so many rows of input; the median.
  public struct RowSpeed: Codable, Sendable, Equatable {
    public var rows: Int
    public var perSecond: Double

    public init(rows: Int, perSecond: Double) {
      self.rows = rows
      self.perSecond = perSecond
    }

    enum CodingKeys: String, CodingKey {
      case rows
      case perSecond = "per_second"
    }
  }
}

extension Calibration.ProductSpeed {
  /// The same with each speed changed.
  package func mapped(streamed: (Double) -> Double, multiplyAdds change: (Double) -> Double) -> Self {
    Self(
      format: format, threads: threads, streamedBytesPerSecond: streamed(streamedBytesPerSecond),
      multiplyAdds: multiplyAdds.map { .init(rows: $0.rows, perSecond: change($0.perSecond)) })
  }
}

extension StrictFile {
  /// Speeds above 0, for all the numbers of rows.
  func verify(_ products: [Calibration.ProductSpeed]?, _ path: String) throws(CalibrationError) {
    for (index, product) in (products ?? []).enumerated() {
      let path = "\(path)[\(index)]"
      try atLeastOne(product.threads, path + ".threads")
      try positive(product.streamedBytesPerSecond, path + ".streamed_bytes_per_second")
      let rows = product.multiplyAdds.map(\.rows)
      guard rows == Calibration.ProductSpeed.rows else {
        throw wrong(path + ".multiply_adds", "rows \(Calibration.ProductSpeed.rows)", "rows \(rows.prefix(20))")
      }
      for (place, speed) in product.multiplyAdds.enumerated() {
        try positive(speed.perSecond, "\(path).multiply_adds[\(place)].per_second")
      }
    }
  }
}
