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
    /// The same with weights that fill the last-level cache; nil where its size is not known, and in files of older
    /// versions.
    public var cachedBytesPerSecond: Double?
    /// What is left where products differ from these, by rows of input as above; nil in files of older versions.
    public var further: Further?

    public init(
      format: WeightFormat, threads: Int, streamedBytesPerSecond: Double, multiplyAdds: [RowSpeed],
      cachedBytesPerSecond: Double? = nil, further: Further? = nil
    ) {
      self.format = format
      self.threads = threads
      self.streamedBytesPerSecond = streamedBytesPerSecond
      self.multiplyAdds = multiplyAdds
      self.cachedBytesPerSecond = cachedBytesPerSecond
      self.further = further
    }

    enum CodingKeys: String, CodingKey {
      case format, threads, further
      case streamedBytesPerSecond = "streamed_bytes_per_second"
      case multiplyAdds = "multiply_adds"
      case cachedBytesPerSecond = "cached_bytes_per_second"
    }

    /// Both by rows of input, in the order of ``rows``.
    public struct Further: Codable, Sendable, Equatable {
      /// Of reading weights from memory and of computing with more rows than one, the part of the shorter one that the
      /// longer one does not hide: 0 to 1.
      public var exposed: [Double]
      /// What short rows of weights cost: for each number of the output, whatever its columns.
      public var secondsPerOutput: [Double]

      public init(exposed: [Double], secondsPerOutput: [Double]) {
        self.exposed = exposed
        self.secondsPerOutput = secondsPerOutput
      }

      enum CodingKeys: String, CodingKey {
        case exposed
        case secondsPerOutput = "seconds_per_output"
      }
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
  /// The same with arithmetic that is `factor` times as fast.
  package func withArithmetic(times factor: Double) -> Self {
    var product = mapped(streamed: { $0 }, multiplyAdds: { $0 * factor })
    product.further?.secondsPerOutput = further?.secondsPerOutput.map { $0 / factor } ?? []
    return product
  }

  /// The same with four digits.
  var rounded: Self {
    var product = mapped(streamed: \.fourDigits, multiplyAdds: \.fourDigits)
    product.further = further.map {
      Further(exposed: $0.exposed.map(\.fourDigits), secondsPerOutput: $0.secondsPerOutput.map(\.fourDigits))
    }
    return product
  }

  /// The same with each speed changed.
  package func mapped(streamed: (Double) -> Double, multiplyAdds change: (Double) -> Double) -> Self {
    Self(
      format: format, threads: threads, streamedBytesPerSecond: streamed(streamedBytesPerSecond),
      multiplyAdds: multiplyAdds.map { .init(rows: $0.rows, perSecond: change($0.perSecond)) },
      cachedBytesPerSecond: cachedBytesPerSecond.map(streamed), further: further)
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
      if let cached = product.cachedBytesPerSecond { try positive(cached, path + ".cached_bytes_per_second") }
      if let further = product.further { try verify(further, path + ".further") }
    }
  }

  private func verify(_ further: Calibration.ProductSpeed.Further, _ path: String) throws(CalibrationError) {
    let count = Calibration.ProductSpeed.rows.count
    for (values, name, most) in [
      (further.exposed, "exposed", 1), (further.secondsPerOutput, "seconds_per_output", 1e-3),
    ] {
      guard values.count == count else {
        throw wrong("\(path).\(name)", "\(count) numbers, one for each number of rows", "\(values.count)")
      }
      for (place, value) in values.enumerated() where !(0...most).contains(value) {
        throw wrong("\(path).\(name)[\(place)]", "0 to \(most)", "\(value)")
      }
    }
  }
}
