import Kernels

extension Calibration {
  /// What work besides products costs with so many threads.
  public struct ThreadCosts: Codable, Sendable, Equatable {
    public var threads: Int
    /// To wake the threads for work and to wait for the last one; the median.
    public var secondsPerJob: Double
    /// A large and a small size of both forms.
    public var attention: [AttentionSpeed]
    /// Every step along rows; nil in files of older versions.
    public var elementwise: [ElementwiseCost]?

    public init(
      threads: Int, secondsPerJob: Double, attention: [AttentionSpeed], elementwise: [ElementwiseCost]? = nil
    ) {
      self.threads = threads
      self.secondsPerJob = secondsPerJob
      self.attention = attention
      self.elementwise = elementwise
    }

    enum CodingKeys: String, CodingKey {
      case threads, attention, elementwise
      case secondsPerJob = "seconds_per_job"
    }
  }

  /// Attention with keys and values at hand.
  public struct AttentionSpeed: Codable, Sendable, Equatable {
    public var form: AttentionTrial.Form
    /// Numbers of a key besides its rotary part, of that, and of a value.
    public var content: Int
    public var rotary: Int
    public var value: Int
    /// The median.
    public var multiplyAddsPerSecond: Double

    public init(form: AttentionTrial.Form, content: Int, rotary: Int, value: Int, multiplyAddsPerSecond: Double) {
      self.form = form
      self.content = content
      self.rotary = rotary
      self.value = value
      self.multiplyAddsPerSecond = multiplyAddsPerSecond
    }

    enum CodingKeys: String, CodingKey {
      case form, content, rotary, value
      case multiplyAddsPerSecond = "multiply_adds_per_second"
    }

    /// Multiply-adds of a query with one position.
    public var size: Int { content + rotary + value }

    /// What is measured: heads of DeepSeek-R1, and small ones.
    public static let sizes: [(form: AttentionTrial.Form, content: Int, rotary: Int, value: Int)] = [
      (.absorbed, 512, 64, 512), (.absorbed, 128, 16, 128), (.expanded, 128, 64, 128), (.expanded, 32, 16, 32),
    ]
  }
}

extension Calibration.ThreadCosts {
  /// The same with arithmetic that is `factor` times as fast.
  package func withArithmetic(times factor: Double) -> Self {
    var costs = self
    for index in costs.attention.indices { costs.attention[index].multiplyAddsPerSecond *= factor }
    costs.elementwise = elementwise?.map { $0.mapped { $0 / factor } }
    return costs
  }

  /// The same with other digits.
  func mapped(_ change: (Double) -> Double) -> Self {
    var costs = self
    costs.secondsPerJob = change(secondsPerJob)
    for index in costs.attention.indices {
      costs.attention[index].multiplyAddsPerSecond = change(attention[index].multiplyAddsPerSecond)
    }
    costs.elementwise = elementwise?.map { $0.mapped(change) }
    return costs
  }
}

extension StrictFile {
  /// Costs above 0, for all sizes of attention.
  func verify(_ costs: [Calibration.ThreadCosts]?, _ path: String) throws(CalibrationError) {
    for (index, cost) in (costs ?? []).enumerated() {
      let path = "\(path)[\(index)]"
      try atLeastOne(cost.threads, path + ".threads")
      try positive(cost.secondsPerJob, path + ".seconds_per_job")
      let sizes = Calibration.AttentionSpeed.sizes
      let isComplete = cost.attention.elementsEqual(sizes) {
        $0.form == $1.form && $0.content == $1.content && $0.rotary == $1.rotary && $0.value == $1.value
      }
      guard isComplete else {
        throw wrong(path + ".attention", "the \(sizes.count) sizes that this version measures", "others")
      }
      for (place, speed) in cost.attention.enumerated() {
        try positive(speed.multiplyAddsPerSecond, "\(path).attention[\(place)].multiply_adds_per_second")
      }
      if let elementwise = cost.elementwise { try verify(elementwise, path + ".elementwise") }
    }
  }
}
